"""The sample files hold what sample_data/README.md promises."""

from __future__ import annotations

import base64
import json
import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from batcher.errors import RowError
from batcher.job import JobSpec, ProviderSpec
from batcher.records import Prompt, Source
from batcher.render import Renderer

SAMPLES = Path(__file__).parents[2] / "sample_data"
LABELS = {"zh": ("正面", "负面", "中性"), "en": ("positive", "negative", "neutral")}
TYPES = [
    "id: string",
    "prompt: string",
    "lang: string",
    "category: dictionary<values=string, indices=int32, ordered=0>",
    "stars: int8",
    "price: decimal128(9, 2)",
    "reviewed_at: timestamp[ms, tz=Asia/Shanghai]",
    "tags: list<element: string>",
    "shop: struct<name: string, city: string>",
    "helpful: uint32",
    "verified: bool",
]
RENDER = Renderer(JobSpec(provider=ProviderSpec(model="glm-4-flash")))

Row = Mapping[str, Any]


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / name).read_text("utf-8").splitlines()]


def _render(row: Row) -> Mapping[str, Any]:
    row_id = str(row.get("id") or row["custom_id"])
    return RENDER(Prompt(0, row_id, row, Source("sample", 1))).body


@pytest.mark.parametrize(
    ("name", "id_column", "count"),
    [
        ("reviews.jsonl", "id", 200),
        ("prompts.jsonl", "id", 200),
        ("batch.jsonl", "custom_id", 40),
        ("messages.jsonl", "id", 24),
        ("images.jsonl", "id", 3),
    ],
)
def test_each_file_has_its_number_of_rows_with_ids_of_their_own(
    name: str, id_column: str, count: int
) -> None:
    rows = _rows(name)
    assert len(rows) == count
    assert len({row[id_column] for row in rows}) == count


@pytest.mark.parametrize("name", ["prompts.jsonl", "batch.jsonl", "messages.jsonl"])
def test_every_row_becomes_a_request(name: str) -> None:
    for row in _rows(name):
        assert _render(row)["messages"]


def test_the_reviews_are_all_different_and_in_two_languages() -> None:
    reviews = _rows("reviews.jsonl")
    assert [row["lang"] for row in reviews].count("zh") == 110
    assert len({row["review"] for row in reviews}) == 200
    assert {row["stars"] for row in reviews} == {1, 2, 3, 4, 5}
    for row in reviews:
        assert list(row) == ["id", "review", "lang", "category", "stars"]
        assert 10 <= len(row["review"]) <= 400
        assert bool(re.search(r"[一-鿿]", row["review"])) == (row["lang"] == "zh")


def test_each_prompt_quotes_its_review_and_names_the_labels_in_its_language() -> None:
    for prompt, review in zip(_rows("prompts.jsonl"), _rows("reviews.jsonl"), strict=True):
        assert list(prompt) == ["id", "prompt", "lang", "category", "stars"]
        assert prompt["id"] == review["id"]
        assert review["review"] in prompt["prompt"]
        assert all(label in prompt["prompt"] for label in LABELS[prompt["lang"]])


def test_the_parquet_file_holds_the_same_prompts_in_columns_of_many_types() -> None:
    table = pq.read_table(SAMPLES / "prompts.parquet")
    prompts = _rows("prompts.jsonl")
    assert [f"{field.name}: {field.type}" for field in table.schema] == TYPES
    assert table.select(list(prompts[0])).to_pylist() == prompts
    for name in ("price", "reviewed_at", "tags", "shop", "helpful", "verified"):
        assert 0 < table[name].null_count < 40
    assert pq.ParquetFile(SAMPLES / "prompts.parquet").num_row_groups > 1


def test_the_batch_lines_are_the_providers_and_ask_one_model() -> None:
    rows = _rows("batch.jsonl")
    for row in rows:
        assert list(row) == ["custom_id", "method", "url", "body"]
        assert len(row["custom_id"]) >= 6
        assert (row["method"], row["url"]) == ("POST", "/v4/chat/completions")
        assert row["body"]["model"] == "glm-4-flash"
    for parameter in ("temperature", "max_tokens"):
        assert 0 < sum(parameter in row["body"] for row in rows) < len(rows)


def test_the_conversations_have_systems_several_turns_parts_and_one_image() -> None:
    conversations = [row["messages"] for row in _rows("messages.jsonl")]
    assert all(messages[0]["role"] == "system" for messages in conversations)
    assert sum(len(messages) > 2 for messages in conversations) >= 8
    parts = [
        part
        for messages in conversations
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
    ]
    assert len(parts) > 5
    (image,) = (part for part in parts if part["type"] == "image_url")
    head, data = image["image_url"]["url"].split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data, validate=True).startswith(b"\x89PNG\r\n\x1a\n")


def test_each_row_on_a_picture_names_one_that_opens_and_none_is_left_over() -> None:
    named = {row["photo"] for row in _rows("images.jsonl")}
    assert named == {f"images/{path.name}" for path in (SAMPLES / "images").iterdir()}
    for name in named:
        with Image.open(SAMPLES / name) as picture:
            picture.load()
            assert picture.size == (32, 32)
            assert len(picture.convert("RGB").getcolors() or []) == 2


def test_the_derived_files_can_be_made_again(tmp_path: Path) -> None:
    runpy.run_path(str(SAMPLES / "make.py"))["make"](tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "batch.jsonl",
        "images",
        "images.jsonl",
        "prompts.jsonl",
        "prompts.parquet",
    ]
    pictures = [f"images/{path.name}" for path in (tmp_path / "images").iterdir()]
    for name in ("batch.jsonl", "prompts.jsonl", "images.jsonl", *pictures):
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes()
    made, kept = (pq.read_table(folder / "prompts.parquet") for folder in (tmp_path, SAMPLES))
    assert made.equals(kept, check_metadata=True)


def test_the_broken_file_is_good_and_bad_line_by_line_as_its_readme_says() -> None:
    readme = (SAMPLES / "README.md").read_text("utf-8")
    promised = re.findall(r"^\| (\d+) \| (good|bad|none) \|", readme, re.MULTILINE)
    seen: set[object] = set()
    lines = (SAMPLES / "broken.jsonl").read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert [(str(n), _verdict(line, seen)) for n, line in enumerate(lines, 1)] == promised
    assert f"The {[kind for _, kind in promised].count('bad')} bad ones" in readme


def test_the_broken_file_kept_the_bytes_that_an_editor_would_repair() -> None:
    content = (SAMPLES / "broken.jsonl").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == 1
    assert not content.endswith(b"\n")
    with pytest.raises(UnicodeDecodeError):
        content.decode()


def _verdict(line: bytes, seen: set[object]) -> str:
    """Judge a line as batcher must, by the plainest means; `seen` collects the ids."""
    if not line.strip():
        return "none"
    try:
        row = json.loads(
            line.decode(), parse_constant=_refuse, object_pairs_hook=_object_with_distinct_keys
        )
        _render(row)
    except (ValueError, AttributeError, RowError):
        return "bad"
    row_id = row["id"]
    if not isinstance(row_id, str | int) or row_id in seen:
        return "bad"
    seen.add(row_id)
    return "good"


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _object_with_distinct_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError(pairs)
    return dict(pairs)
