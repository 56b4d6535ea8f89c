"""Results and errors, made again from the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

import batcher
from batcher.errors import InputError, OutputError, UsageError
from batcher.outputs import Format, read_head
from batcher.runs.delivery import Delivery
from batcher.runs.directory import RunDirectory
from batcher.runs.export import export_run, provider_of, vote_run
from batcher.runs.selection import Portion
from batcher.runs.verify import verify
from batcher.structured.fields import schema_of
from tests.simulated import Place


def test_the_files_name_job_and_version_and_say_that_they_are_simulated(place: Place) -> None:
    place.run()
    metadata = pq.read_schema(place.directory.results).metadata
    assert metadata[b"batcher.version"].decode() == batcher.__version__
    assert metadata[b"batcher.simulated"] == b"true"
    assert json.loads(metadata[b"batcher.job"])["model"] == "glm-4-flash"


def test_lost_files_come_back_the_same(place: Place) -> None:
    place.run()
    before = place.directory.results.read_bytes()
    place.directory.results.unlink()
    exported = export_run(place.directory, None, "parquet")
    assert (exported.results, exported.errors, exported.pending) == (10, 0, 0)
    assert place.directory.results.read_bytes() == before


def test_a_first_try_reads_no_more_of_a_large_input_than_it_must(place: Place) -> None:
    """And counts all that is pending."""
    rows = [{"id": f"id-{n}", "prompt": f"Say {n}.", "n": n} for n in range(5000)]
    place.write([*rows, {"id": "last", "prompt": "Say.", "n": "text"}])
    result = replace(place.session(), portion=Portion(limit=3)).run()
    assert (result.summary.pending, result.summary.ended.partition(".")[0]) == (
        0,
        "Done: the first 3 of 5,001 rows",
    )
    assert str(pq.read_schema(place.directory.results).field("n").type) == "int64"
    exported = export_run(place.directory, None, "parquet")
    assert (exported.results, exported.pending) == (3, 4998)


def test_a_changed_input_is_refused_and_the_files_stay(place: Place, tmp_path: Path) -> None:
    place.run()
    before = place.directory.results.read_bytes()
    place.write([{"id": "id-0", "prompt": "other"}])
    with pytest.raises(InputError, match=r"prompts\.jsonl"):
        export_run(place.directory, None, "parquet")
    assert place.directory.results.read_bytes() == before
    assert not (tmp_path / "results.jsonl").exists()


def test_another_folder_is_made_where_there_is_none(place: Place, tmp_path: Path) -> None:
    place.run()
    exported = export_run(place.directory, tmp_path / "a" / "b", "jsonl")
    assert exported.results_path == tmp_path / "a" / "b" / "results.jsonl"
    assert exported.results_path.exists()


def test_a_folder_that_cannot_be_made_is_an_output_error(place: Place) -> None:
    place.run()
    with pytest.raises(OutputError, match="cannot create"):
        export_run(place.directory, place.input / "there", "jsonl")


def test_the_input_is_not_written_over(place: Place, tmp_path: Path) -> None:
    own = tmp_path / "results.jsonl"
    place.input.rename(own)
    job = place.job(input=[str(own)], output={"directory": str(place.directory.path)})
    place.run(job)
    with pytest.raises(OutputError, match="would be overwritten"):
        export_run(place.directory, tmp_path, "jsonl")


@pytest.mark.parametrize(
    ("word", "to", "file_format"),
    [
        *(("in", "in", name) for name in ("parquet", "jsonl", "batch", "hf")),
        *(("in", "in/answers", "jsonl"), ("in/*", "in", "parquet"), ("in/**", "in/data", "hf")),
    ],
)
def test_results_that_would_be_rows_of_the_next_run_are_refused(
    word: str, to: str, file_format: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `run --to` does, for paths and URLs, from whichever folder the export is made."""
    run = _of_a_folder(tmp_path, monkeypatch, word)
    monkeypatch.chdir("/")
    message = r"in.* is within the input .*/in.*; name a place beside it with --to"
    for target in (tmp_path / to, Delivery.to(f"file://{tmp_path}/{to}")):
        with pytest.raises(OutputError, match=message):
            export_run(run, target, file_format)
    if file_format in ("parquet", "jsonl"):
        with pytest.raises(OutputError, match=message):
            vote_run(run, tmp_path / to, file_format)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.jsonl"]


def test_what_no_run_takes_for_rows_may_lie_in_a_folder_of_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CSV is no input, and a run directory is passed over."""
    run = _of_a_folder(tmp_path, monkeypatch, "in", directory="in/out")
    places: list[tuple[str, Format]]
    places = [("in", "csv"), ("in/out/lines", "jsonl"), ("beside", "jsonl")]
    for to, file_format in places:
        assert export_run(run, tmp_path / to, file_format).results_path.exists()


def _of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, directory: str = "run"
) -> RunDirectory:
    """Run the files of the folder `in`, two samples a row."""
    place = Place(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_text('{"prompt": "hi"}\n')
    monkeypatch.chdir(tmp_path)
    run = RunDirectory(tmp_path / directory)
    job = place.job(
        input=[word],
        sampling={"samples": 2},
        output={"directory": str(run.path), "fields": {"a": ["b", "c"]}},
    )
    place.run(job)
    return run


def test_the_samples_of_a_run_vote_on_its_fields(place: Place, tmp_path: Path) -> None:
    output = {"fields": {"label": ["good", "bad"], "tags": "string[]"}}
    place.run(place.job(output=output, sampling={"samples": 3}))
    voted = vote_run(place.directory, tmp_path / "there", "parquet")
    assert (voted.rows, voted.pending, voted.path) == (10, 0, tmp_path / "there" / "votes.parquet")
    table = pq.read_table(voted.path)
    results = place.results()
    assert table.column("vote.label").to_pylist() == [row["out.label"] for row in results[::3]]
    assert table.column("samples").to_pylist() == [3] * 10
    assert "vote.tags" not in table.column_names
    assert json.loads(table.schema.metadata[b"batcher.job"])["sampling.samples"] == 3


@pytest.mark.parametrize("output", [{}, {"fields": {"tags": "string[]"}}])
def test_a_run_with_nothing_to_vote_on_is_told_so(place: Place, output: dict[str, object]) -> None:
    place.run(place.job(output=output))
    with pytest.raises(UsageError, match="there is nothing to vote on"):
        vote_run(place.directory, None, "parquet")


def test_votes_do_not_write_over_the_input_nor_speak_of_a_changed_one(
    place: Place, tmp_path: Path
) -> None:
    own = tmp_path / "votes.jsonl"
    place.input.rename(own)
    directory = {"directory": str(place.directory.path)}
    job = place.job(input=[str(own)], output=directory, sampling={"samples": 2})
    place.run(job)
    with pytest.raises(OutputError, match="would be overwritten"):
        vote_run(place.directory, tmp_path, "jsonl")
    own.write_text('{"prompt": "other"}')
    with pytest.raises(InputError, match="changed since it was run"):
        vote_run(place.directory, None, "jsonl")


def test_the_input_is_not_removed_as_a_partition_of_an_earlier_export(
    place: Place, tmp_path: Path
) -> None:
    own = tmp_path / "results-00007-of-00008.jsonl"
    place.input.rename(own)
    job = place.job(input=[str(own)], output={"directory": str(place.directory.path)})
    place.run(job)
    with pytest.raises(OutputError, match="would be overwritten"):
        export_run(place.directory, tmp_path, "jsonl", partition_rows=1)
    assert own.exists()


def test_partitions_take_nothing_from_the_files_that_the_run_itself_wrote(place: Place) -> None:
    place.run()
    before = place.directory.results.read_bytes()
    exported = export_run(place.directory, None, "parquet", partition_rows=4)
    assert exported.results_path == place.directory.path / "results-*-of-00003.parquet"
    assert place.directory.results.read_bytes() == before


def test_a_dataset_has_a_folder_of_its_own_and_a_card_of_the_run(place: Place) -> None:
    template = "Say {{ prompt }}\nnow."
    place.run(place.job(prompt={"template": template}, parameters={"temperature": 0.5}))
    exported = export_run(place.directory, None, "hf")
    folder = place.directory.path / "hf"
    assert exported.results_path == folder / "data" / "train-*-of-00001.parquet"
    _, metadata, body = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    (split,) = yaml.safe_load(metadata)["dataset_info"]["splits"]
    assert split["num_examples"] == pq.read_table(folder / "data").num_rows == 10
    for said in (
        "> **Simulated.**",
        f"Made with batcher {batcher.__version__} from `prompts.jsonl`.",
        "| model | `glm-4-flash` (10) |",
        "| provider | none: batcher's simulator |",
        "| `parameters.temperature` | `0.5` |",
        template,
        "CNY by the prices of ",
    ):
        assert said in body


@pytest.mark.parametrize(
    ("base_url", "said"),
    [(None, "zai"), ("https://llm.example", "a server of its own, by the protocol of zai")],
)
def test_the_provider_is_named_but_not_where_a_server_of_its_own_is(
    place: Place, base_url: str | None, said: str
) -> None:
    place.directory.create()
    place.directory.describe({"job": {"provider": {"name": "zai", "base_url": base_url}}})
    assert provider_of(place.directory) == said


@pytest.mark.parametrize("facts", [None, {}, {"job": None}, {"job": {"provider": {}}}])
def test_a_run_that_is_not_described_has_no_provider_to_name(
    place: Place, facts: dict[str, object] | None
) -> None:
    place.directory.create()
    if facts is not None:
        place.directory.describe(facts)
    assert provider_of(place.directory) is None


def _lines(path: Path) -> Iterator[Any]:
    return map(json.loads, path.read_text("utf-8").splitlines())


def test_results_of_a_batch_file_are_joined_back_on_custom_id(place: Place, tmp_path: Path) -> None:
    """As if the provider's batch API had answered it: each line once, in one of the two files."""
    place.write(
        {
            "custom_id": f"request-{number}",
            "method": "POST",
            "url": "/v4/chat/completions",
            "body": {
                "model": "glm-4-flash",
                "messages": [{"role": "user", "content": f"Say {number}."}] if number % 3 else [],
            },
        }
        for number in range(9)
    )
    place.run()
    export_run(place.directory, tmp_path, "batch")
    output = {line["custom_id"]: line["response"] for line in _lines(tmp_path / "output.jsonl")}
    errors = {line["custom_id"]: line["response"] for line in _lines(tmp_path / "error.jsonl")}
    asked = [line["custom_id"] for line in _lines(place.input)]
    assert sorted([*output, *errors]) == asked
    assert sorted(errors) == ["request-0", "request-3", "request-6"]
    answers = {row["id"]: row["response"] for row in place.results()}
    for custom_id, response in output.items():
        assert response["status_code"] == 200
        (choice,) = response["body"]["choices"]
        assert choice["message"]["content"] == answers[custom_id]
    assert {response["body"]["error"]["type"] for response in errors.values()} == {"invalid_row"}


FIELDS = {"score": "number", "label": ["pos", "neg"], "tags": "string[]", "also": {"n": "integer?"}}


@pytest.mark.parametrize("as_schema", [False, True])
def test_an_export_needs_no_job_to_make_typed_columns_in_the_order_of_the_fields(
    place: Place, tmp_path: Path, *, as_schema: bool
) -> None:
    output = {"schema": schema_of(FIELDS)} if as_schema else {"fields": FIELDS}
    place.run(place.job(output={"directory": str(place.directory.path), **output}))
    exported = export_run(place.directory, tmp_path / "again", "parquet")
    table = pq.read_table(exported.results_path)
    assert table.equals(pq.read_table(place.directory.results))
    at = table.schema.names.index("response") + 1
    assert [(field.name, str(field.type)) for field in list(table.schema)[at : at + 4]] == [
        ("out.score", "double"),
        ("out.label", "string"),
        ("out.tags", "list<element: string>"),
        ("out.also", "struct<n: int64>"),
    ]
    assert set(table.column("out.label").to_pylist()) <= {"pos", "neg"}
    assert verify(place.directory).sound


@pytest.mark.parametrize("file_format", ["jsonl", "csv"])
def test_every_format_has_the_columns_of_the_value(
    place: Place, tmp_path: Path, file_format: Format
) -> None:
    place.run(place.job(output={"directory": str(place.directory.path), "fields": FIELDS}))
    exported = export_run(place.directory, tmp_path / "again", file_format)
    rows = read_head(exported.results_path, 99)
    assert len(rows) == exported.results == 10
    for row in rows:
        value = json.loads(row["response"])
        named = {name: row[f"out.{name}"] for name in FIELDS}
        if file_format == "csv":
            named = {k: v if k == "label" else json.loads(v) for k, v in named.items()}
        assert named == value
