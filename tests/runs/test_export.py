"""Results and errors, made again from the checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import batcher
from batcher.errors import InputError, OutputError, UsageError
from batcher.runs import export_run, vote_run
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
