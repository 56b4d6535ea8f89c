"""The input of a job, opened and remembered."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from batcher.errors import InputError, StorageError
from batcher.runs.rows import input_facts, open_dataset, recalled
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
    again = recalled(facts)
    assert again.fingerprint() == fingerprint
    assert [row.id for row in again.rows()] == [f"id-{n}" for n in range(10)]
    assert again.names == ["prompts.jsonl"]


@pytest.mark.parametrize("facts", [None, {}, {"files": 3}])
def test_a_run_that_never_opened_its_input_says_so(facts: object) -> None:
    with pytest.raises(StorageError, match="batcher run"):
        recalled(facts)


def test_standard_input_lies_in_the_spool_folder(place: Place, tmp_path: Path) -> None:
    dataset = open_dataset(place.job(input=["-"]), tmp_path, io.BytesIO(b'{"prompt": "hi"}\n'))
    assert dataset.files[0].path.parent == tmp_path
    assert dataset.count() == 1


def test_no_directory_is_made_for_files_that_are_not_there(place: Place) -> None:
    place.input.unlink()
    with pytest.raises(InputError, match=r"prompts\.jsonl"):
        place.run()
    assert not place.directory.path.exists()
