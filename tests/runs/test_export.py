"""Results and errors, made again from the checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import batcher
from batcher.errors import InputError, OutputError
from batcher.outputs import Format, read_head
from batcher.runs import export_run, verify
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
