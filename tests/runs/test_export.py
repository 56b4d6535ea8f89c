"""Results and errors, made again from the checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import batcher
from batcher.errors import InputError, OutputError
from batcher.runs import export_run
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
