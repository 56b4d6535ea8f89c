"""A run directory, checked from end to end, and mended."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from batcher.checkpoint import Checkpoint, RunLock
from batcher.errors import LockedError, StorageError
from batcher.runs.directory import RunDirectory
from batcher.runs.export import export_run
from batcher.runs.verify import mend, verify
from batcher.simulator import SimulatorConfig
from tests.damaged import break_outcomes
from tests.simulated import Place


@pytest.fixture
def finished(place: Place) -> Place:
    """A finished run of ten rows, some of them errors."""
    place.run(simulator=SimulatorConfig(latency_s=0, faults={"1301": 0.4}))
    return place


def _spoil_the_first_result(place: Place) -> int:
    """Change an answer behind the checkpoint's back; return its row."""
    with contextlib.closing(
        sqlite3.connect(place.directory.checkpoint, isolation_level=None)
    ) as connection:
        connection.execute(
            "UPDATE outcomes SET response = 'other' "
            "WHERE row = (SELECT min(row) FROM outcomes WHERE error_class IS NULL)"
        )
    return int(place.results()[0]["row"])


def test_a_finished_run_is_sound(finished: Place) -> None:
    verification = verify(finished.directory)
    assert verification.sound
    results, errors = len(finished.results()), len(finished.errors())
    assert 0 < errors < 10
    assert list(verification.lines()) == [
        f"Sound: {results} results and {errors} errors, each as it was recorded"
    ]


def test_outputs_that_lack_are_named_and_made_again_by_an_export(finished: Place) -> None:
    finished.directory.errors.unlink()
    verification = verify(finished.directory)
    path = finished.directory.path
    assert list(verification.lines()) == [
        f"{path}: errors.parquet is missing",
        f"The checkpoint is sound: `batcher export {path}` makes the files again, or says why not",
    ]
    export_run(finished.directory, None, "parquet")
    assert verify(finished.directory).sound


def test_while_a_run_goes_on_its_end_makes_the_files(finished: Place) -> None:
    finished.directory.errors.unlink()
    with Checkpoint.open(finished.directory.checkpoint):
        assert "makes the files anew" in list(verify(finished.directory).lines())[-1]


def test_a_damaged_outcome_is_named_with_both_ways_out(finished: Place) -> None:
    row = _spoil_the_first_result(finished)
    verification = verify(finished.directory)
    first, last = verification.lines()
    assert f"checkpoint.db: the outcome of row {row} in `outcomes` is not what" in first
    assert "put back a copy" in last
    assert "--mend" in last
    assert verification.counts is None


def test_damage_to_what_is_known_of_the_run_is_named_beside_all_else(finished: Place) -> None:
    """Nothing tells then how the files should look, so that nothing is said of them."""
    row = _spoil_the_first_result(finished)
    with contextlib.closing(
        sqlite3.connect(finished.directory.checkpoint, isolation_level=None)
    ) as connection:
        connection.execute("UPDATE facts SET value = '{}' WHERE name = 'settings'")
    verification = verify(finished.directory)
    assert any("what it says of 'settings' is not" in line for line in verification.checkpoint)
    assert any(f"the outcome of row {row} in" in line for line in verification.checkpoint)
    assert verification.outputs == ()


def test_after_mending_the_next_run_calls_only_the_damaged_row(finished: Place) -> None:
    row = _spoil_the_first_result(finished)
    calls = len(finished.ledger())
    with pytest.raises(StorageError, match=f"outcome of row {row}"):
        finished.run()
    assert mend(finished.directory) == 1
    finished.run()
    assert len(finished.ledger()) == calls + 1
    assert len(finished.results()) + len(finished.errors()) == 10
    assert verify(finished.directory).sound


def test_damage_that_cannot_be_read_leads_to_no_mending(finished: Place) -> None:
    """Neither promises the other: only a copy helps, or to call anew."""
    path = finished.directory.checkpoint
    break_outcomes(path)
    *_, last = verify(finished.directory).lines()
    with pytest.raises(StorageError) as raised:
        mend(finished.directory)
    assert last == str(raised.value)
    assert "put back a copy of it. Without one, move " in last
    assert "`batcher verify" not in last


def test_nothing_is_mended_under_a_run(finished: Place) -> None:
    with RunLock.held(finished.directory.path), pytest.raises(LockedError):
        mend(finished.directory)


def test_what_is_no_run_is_not_made_one(place: Place) -> None:
    with pytest.raises(StorageError, match="no checkpoint"):
        mend(RunDirectory(place.folder))
    assert not (place.folder / "checkpoint.db").exists()
