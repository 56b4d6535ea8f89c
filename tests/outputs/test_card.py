"""The card of a dataset, read as the hub reads it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from batcher.outputs.card import Data, Origin, card
from batcher.outputs.features import features
from batcher.outputs.figures import Figures
from batcher.outputs.layout import ANSWER, HEAD

SCHEMA = pa.schema([*HEAD, pa.field("列: -", pa.string()), *ANSWER])
DATA = Data("data/train-*", SCHEMA, features(SCHEMA), rows=3, bytes=900, download=400)
FIGURES = Figures(
    results=3,
    errors=Counter(content_filtered=2, invalid_output=1),
    pending=4,
    models=Counter({"glm-4-flash": 3}),
    answered_by=Counter(call=2, cache=1),
    tokens=Counter(prompt_tokens=1500, completion_tokens=60, cached_tokens=5),
    truncated=1,
    repairs=2,
    cost=1_234_000_000,
    unpriced=1,
    currency="CNY",
    first=datetime(2026, 7, 1, 8, 5, tzinfo=UTC),
    last=datetime(2026, 7, 2, tzinfo=UTC),
)
ORIGIN = Origin(
    version="1.2.3",
    settings={"model": "glm-4-flash", "parameters.temperature": 0.1, "prompt.template": "a\nb"},
    provider="glm",
    priced_by="2026-07-01",
    inputs=("/home/me/prompts.jsonl",),
)


def _split(text: str) -> tuple[Any, str]:
    """Divide a card as `datasets` does: by lines that are three dashes."""
    lines = text.splitlines()
    assert lines[0] == "---"
    end = lines.index("---", 1)
    return yaml.safe_load("\n".join(lines[1:end])), "\n".join(lines[end + 1 :])


def test_the_metadata_describes_files_features_and_sizes() -> None:
    metadata, _ = _split(card(DATA, FIGURES, ORIGIN).decode())
    assert metadata == {
        "tags": ["synthetic", "batcher"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "data/train-*"}],
            }
        ],
        "dataset_info": {
            "features": DATA.features,
            "splits": [{"name": "train", "num_bytes": 900, "num_examples": 3}],
            "download_size": 400,
            "dataset_size": 900,
        },
    }


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, unique=True))
def test_columns_of_any_name_stand_in_the_metadata_as_they_are(names: list[str]) -> None:
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    made = card(replace(DATA, schema=schema, features=features(schema)), FIGURES, ORIGIN)
    metadata, _ = _split(made.decode())
    assert [feature["name"] for feature in metadata["dataset_info"]["features"]] == names


@pytest.mark.parametrize(
    "said",
    [
        "machine-made: `glm-4-flash` wrote them",
        "Made with batcher 1.2.3 from `prompts.jsonl`.",
        "| provider | glm |",
        "| answered | 2026-07-01 08:05 UTC to 2026-07-02 00:00 UTC |",
        "| results | 3 |",
        "| of these cut at `max_tokens` | 1 |",
        "| of these answered by the cache | 1 |",
        "| answers asked for again, since they were not valid | 2 |",
        "| errors | `content_filtered` (2), `invalid_output` (1) |",
        "| tokens of the results | 1,500 in (5 cached), 60 out (0 reasoning) |",
        "| cost | 1.24 CNY by the prices of 2026-07-01; that of 1 result is unknown",
        "4 rows of the input had no outcome yet",
        "| `parameters.temperature` | `0.1` |",
        "`prompt.template`:\n\n```text\na\nb\n```",
        "| `列: -` | `string` | from the input |",
        "| `response` | `string` | the model's answer |",
        "This card names no license",
        "This card names no language",
    ],
)
def test_the_body_says_how_the_data_was_made(said: str) -> None:
    _, body = _split(card(DATA, FIGURES, ORIGIN).decode())
    assert said in body


def test_the_folders_of_the_input_are_not_named() -> None:
    assert b"/home/me" not in card(DATA, FIGURES, ORIGIN)


def test_simulated_answers_are_called_so_and_no_model_is_credited() -> None:
    _, body = _split(card(DATA, FIGURES, replace(ORIGIN, simulated=True)).decode())
    assert "> **Simulated.**" in body
    assert "machine-made: batcher's simulator" in body


def test_every_column_of_ours_has_a_meaning() -> None:
    _, body = _split(card(DATA, FIGURES, ORIGIN).decode())
    rows = [line for line in body.splitlines() if line.startswith("| `")]
    assert not [row for row in rows if row.endswith("|  |")]


@given(st.text(st.sampled_from(["`", "\n", "a", "~"])))
def test_a_template_of_any_text_stands_in_a_block_that_it_cannot_leave(template: str) -> None:
    """Its fence is longer than any run of backticks in it."""
    text = f"{template}\n."
    made = card(DATA, FIGURES, replace(ORIGIN, settings={"prompt.template": text})).decode()
    before, _, after = made.partition(f"text\n{text}\n")
    fence = before.rsplit("\n", 1)[1]
    assert after.startswith(f"{fence}\n")
    assert fence.strip("`") == ""
    assert fence not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a|b", "`a\\|b`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("", "` `"), ([1], "`[1]`")],
)
def test_a_setting_cannot_break_its_table(value: object, shown: str) -> None:
    made = card(DATA, FIGURES, replace(ORIGIN, settings={"x": value})).decode()
    assert f"| `x` | {shown} |" in made


def test_metadata_of_the_user_stands_in_the_card_and_is_not_asked_for() -> None:
    kept = {"license": "mit", "tags": ["mine"]}
    metadata, body = _split(card(DATA, FIGURES, ORIGIN, kept).decode())
    assert {name: metadata[name] for name in kept} == kept
    assert metadata["dataset_info"]["splits"][0]["num_examples"] == 3
    assert "names no license" not in body
    assert "names no language" in body
