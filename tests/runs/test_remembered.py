"""What a run remembers of its input and its job."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.errors import StorageError
from batcher.runs.remembered import Remembered, dataset_of, input_facts, job_facts
from batcher.runs.rows import open_dataset
from batcher.runs.shard import Part, Shard
from tests.simulated import Place


def test_a_remembered_input_is_the_same_from_any_folder(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts go through JSON, as in the checkpoint."""
    monkeypatch.chdir(place.folder)
    job = place.job(input=["prompts.jsonl"], prompt={"id_column": "id"})
    dataset = open_dataset(job, place.folder, io.BytesIO())
    facts = json.loads(json.dumps(input_facts(dataset)))
    fingerprint = dataset.fingerprint()
    monkeypatch.chdir("/")
    again = dataset_of(facts)
    assert again.fingerprint() == fingerprint
    assert [row.id for row in again.rows()] == [f"id-{n}" for n in range(10)]
    assert again.names == ["prompts.jsonl"]


@pytest.mark.parametrize("facts", [None, {}, {"files": 3}])
def test_a_run_that_never_opened_its_input_says_so(facts: object) -> None:
    with pytest.raises(StorageError, match="batcher run"):
        dataset_of(facts)


def test_what_a_run_was_of_is_found_again_in_its_checkpoint(place: Place) -> None:
    job = place.job(sampling={"samples": 2}, output={"fields": {"mood": "string"}})
    place.run(job)
    with CheckpointReader.read(place.directory.checkpoint) as checkpoint:
        run = Remembered(checkpoint)
        assert run.dataset.names == [str(place.input)]
        assert run.fingerprint == run.dataset.fingerprint()
        assert run.settings == job.request_settings()
        assert run.samples == 2
        assert run.value is not None
        assert [name for name, _ in run.value.fields] == ["mood"]
        assert run.job == json.loads(json.dumps(job_facts(job, run.dataset)))
        assert run.simulated
        assert run.part is None


def test_a_part_is_remembered_with_the_input_that_it_is_of(tmp_path: Path) -> None:
    part = Part(Shard(2, 4), 100, "content")
    with Checkpoint.open(tmp_path / "checkpoint.db") as checkpoint:
        checkpoint.remember(shard=part.facts())
        assert Remembered(checkpoint).part == part


def test_a_run_that_took_up_no_input_remembers_nothing(tmp_path: Path) -> None:
    with Checkpoint.open(tmp_path / "checkpoint.db") as checkpoint:
        run = Remembered(checkpoint)
        assert (run.fingerprint, run.part, run.value, run.job) == (None, None, None, None)
        assert (run.settings, run.samples, run.simulated) == ({}, 1, False)
        with pytest.raises(StorageError, match="batcher run"):
            _ = run.dataset


def test_where_one_fact_is_damaged_the_others_are_known(place: Place) -> None:
    place.run()
    with contextlib.closing(
        sqlite3.connect(place.directory.checkpoint, isolation_level=None)
    ) as connection:
        connection.execute("UPDATE facts SET value = '{}' WHERE name = 'settings'")
    with CheckpointReader.read(place.directory.checkpoint) as checkpoint:
        run = Remembered(checkpoint)
        assert run.simulated
        assert len(run.dataset.files) == 1
        with pytest.raises(StorageError, match="what it says of 'settings' is not what"):
            _ = run.samples
