"""What may have been spent beside what is recorded, where two checkpoints are made one."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.checkpoint.adoption import adopt
from batcher.errors import StorageError
from batcher.records import Kept, Success

MakeSuccess = Callable[..., Success]


def _recorded(path: Path, *kept: Kept, **facts: object) -> Path:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.remember(fingerprint="f", **facts)
        checkpoint.write(kept)
    return path


def _facts(path: Path, *names: str) -> list[object]:
    with CheckpointReader.read(path) as checkpoint:
        return [checkpoint.fact(name) for name in names]


def test_calls_in_flight_when_processes_of_either_were_killed_are_at_most_those_of_both(
    tmp_path: Path, success: MakeSuccess
) -> None:
    """Of the last one of the other, which nobody went on with, as well."""
    here = _recorded(tmp_path / "here.db", success(0), killed_calls=3)
    there = _recorded(tmp_path / "there.db", success(1), killed_calls=2)
    with contextlib.suppress(StorageError), Checkpoint.open(there) as checkpoint:
        checkpoint.expect(7)
        raise StorageError("the disk failed")
    with contextlib.closing(sqlite3.connect(there)) as connection, connection:
        # A process that was there, and is no more.
        connection.execute("UPDATE owner SET pid = 1, ticks = 'long ago'")
    adopt(here, there)
    with CheckpointReader.read(here) as joined:
        assert joined.counts().killed_calls == 3 + 2 + 7


def test_that_calls_are_in_no_count_of_either_is_remembered(
    tmp_path: Path, success: MakeSuccess
) -> None:
    here = _recorded(tmp_path / "here.db", success(0))
    adopt(here, _recorded(tmp_path / "there.db", success(1), cut_short=1))
    adopt(here, _recorded(tmp_path / "third.db", success(1)))
    assert _facts(here, "cut_short", "killed_calls", "spent_cost") == [1, None, None]


def test_what_either_may_have_spent_beside_what_it_recorded_counts_against_a_ceiling(
    tmp_path: Path, success: MakeSuccess
) -> None:
    """A result has 15 tokens; of the one of them, 4 more may have been used, of the other 30."""
    here = _recorded(tmp_path / "here.db", success(0), spent_tokens=19, spent_cost=0)
    there = _recorded(tmp_path / "there.db", success(1), spent_tokens=45, spent_cost=8)
    adopt(here, there)
    assert _facts(here, "spent_tokens", "spent_cost") == [2 * 15 + 4 + 30, 8]
    assert adopt(here, there) == 0
    assert _facts(here, "spent_tokens", "spent_cost") == [2 * 15 + 4 + 30, 8]


def test_what_was_in_no_count_before_the_last_process_is_added_up_too(
    tmp_path: Path, success: MakeSuccess
) -> None:
    """Where what was recorded since is more than a process with a ceiling had put down."""
    here = _recorded(tmp_path / "here.db", success(0), spent_tokens=1, beside_tokens=6)
    there = _recorded(tmp_path / "there.db", success(1), beside_tokens=9)
    adopt(here, there)
    assert _facts(here, "spent_tokens") == [2 * 15 + 6 + 9]
