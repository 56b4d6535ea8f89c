"""A damaged checkpoint, mended."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, checkpoint_problems, is_mendable
from batcher.errors import StorageError
from batcher.recorded import record
from batcher.records import InvalidAnswer, Mark, Request, Success
from tests.damaged import break_outcomes

MakeSuccess = Callable[..., Success]
MakeRequest = Callable[..., Request]
MakeInvalid = Callable[..., InvalidAnswer]


def _key(row: int) -> str:
    return f"{row:032x}"


def _spoil(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for sql in statements:
            connection.execute(sql)


@pytest.fixture
def outcomes(path: Path, success: MakeSuccess, request_of: MakeRequest) -> list[Success]:
    outcomes = [success(row, key=_key(row), text=f"answer {row}") for row in range(20)]
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write(outcomes, [Mark(8, 0, 9, 100)])
        with checkpoint.placement() as placement:
            for row in range(1, 20):
                placement.place(request_of(row, key=_key(row)))
            placement.apply()
    return outcomes[1:]


def test_damaged_outcomes_are_dropped_and_all_others_stay(
    path: Path, outcomes: list[Success]
) -> None:
    _spoil(
        path,
        "UPDATE outcomes SET response = 'x' WHERE row IN (3, 5)",
        "UPDATE shelved SET response = 'x'",
        "UPDATE totals SET rows = 1000",
        "UPDATE marks SET offset = 0",
    )
    assert len(list(checkpoint_problems(path))) >= 4
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.mend() == 2
    assert list(checkpoint_problems(path)) == []
    with Checkpoint.open(path) as checkpoint:
        left = [outcome for outcome in outcomes if outcome.row not in (3, 5)]
        assert list(checkpoint.outcomes()) == list(map(record, left))
        assert checkpoint.counts().results == len(checkpoint.done()) == 17


def test_what_cannot_be_read_cannot_be_mended(path: Path, outcomes: list[Success]) -> None:
    """A damaged outcome, or a damaged index, is none of it."""
    del outcomes
    _spoil(path, "UPDATE outcomes SET response = 'x' WHERE row = 3", "PRAGMA wal_checkpoint")
    assert is_mendable(path)
    break_outcomes(path)
    assert not is_mendable(path)


def test_a_sound_checkpoint_keeps_every_outcome(path: Path, outcomes: list[Success]) -> None:
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.mend() == 0
        assert list(checkpoint.outcomes()) == list(map(record, outcomes))


def test_an_index_that_lost_a_row_is_made_anew(path: Path, outcomes: list[Success]) -> None:
    """What the table holds counts."""
    _spoil(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX outcomes_class ON outcomes (error_class) "
        "WHERE row <> 4' WHERE name = 'outcomes_class'",
    )
    _spoil(path, "REINDEX")
    _spoil(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX outcomes_class ON outcomes (error_class)' "
        "WHERE name = 'outcomes_class'",
    )
    assert any("SQLite finds: row 4 missing" in text for text in checkpoint_problems(path))
    with Checkpoint.open(path) as checkpoint:
        with pytest.raises(StorageError, match="its list of 18 rows is not that of the 19"):
            checkpoint.done()
        assert checkpoint.mend() == 0
    assert list(checkpoint_problems(path)) == []
    with Checkpoint.open(path) as checkpoint:
        assert len(checkpoint.done()) == len(outcomes)


def test_damaged_answers_to_ask_again_for_are_dropped(path: Path, invalid: MakeInvalid) -> None:
    """Their rows are asked anew from the start."""
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([invalid("a"), invalid("b")])
    _spoil(path, "UPDATE invalid_answers SET response = 'x' WHERE key = 'a'")
    assert len(list(checkpoint_problems(path))) == 1
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.mend() == 0
        assert checkpoint.invalid_answers() == {"b": invalid("b")}
    assert list(checkpoint_problems(path)) == []
