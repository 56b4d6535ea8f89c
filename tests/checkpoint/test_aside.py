"""A checkpoint that gives its place to another one."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.checkpoint.aside import holds_nothing, set_aside, those_aside
from batcher.errors import StorageError
from batcher.records import Success, Unanswered

MakeSuccess = Callable[..., Success]


def test_where_there_is_none_or_nothing_was_recorded_there_is_nothing_to_keep(path: Path) -> None:
    assert holds_nothing(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
    assert holds_nothing(path)
    with Checkpoint.open(path) as checkpoint:
        checkpoint.expect(8)
        checkpoint.remember(fingerprint="f", spent_cost=0, cut_short=1)
    assert holds_nothing(path)


@pytest.mark.parametrize("kind", ["an outcome", "a call without an answer"])
def test_what_was_paid_or_may_have_been_is_kept(
    path: Path, success: MakeSuccess, kind: str
) -> None:
    with Checkpoint.open(path) as checkpoint:
        if kind == "an outcome":
            checkpoint.write([success(0)])
        else:
            checkpoint.write([], unanswered=[Unanswered("key", 1)])
    assert not holds_nothing(path)


@pytest.mark.parametrize("fact", ["killed_calls", "spent_cost", "spent_tokens"])
def test_so_is_what_is_known_of_processes_that_were_killed(path: Path, fact: str) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.remember(**{fact: 1})
    assert not holds_nothing(path)


def test_so_are_the_calls_that_were_in_flight_when_the_last_one_was(path: Path) -> None:
    with contextlib.suppress(StorageError), Checkpoint.open(path) as checkpoint:
        checkpoint.expect(8)
        raise StorageError("as if killed")
    assert not holds_nothing(path)


def test_it_is_moved_whole_under_a_name_of_its_own_each_time(
    path: Path, success: MakeSuccess
) -> None:
    moved = []
    for row in (1, 2):
        with Checkpoint.open(path) as checkpoint:
            checkpoint.write([success(row)])
        moved.append(set_aside(path))
    assert [*those_aside(path)] == moved[::-1]
    assert sorted(entry.name for entry in path.parent.iterdir()) == [one.name for one in moved]
    for row, aside in enumerate(moved, 1):
        with CheckpointReader.read(aside) as reader:
            assert [outcome.row for outcome in reader.outcomes()] == [row]


def test_the_log_of_a_killed_process_is_taken_along(path: Path, success: MakeSuccess) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(0)])
        # What a kill leaves behind: the database, and a log beside it.
        elsewhere = path.with_name("killed")
        elsewhere.mkdir()
        for file in path.parent.glob("checkpoint.db*"):
            (elsewhere / file.name).write_bytes(file.read_bytes())
    aside = set_aside(elsewhere / "checkpoint.db")
    assert [*elsewhere.iterdir()] == [aside]
    with CheckpointReader.read(aside) as reader:
        assert [outcome.row for outcome in reader.outcomes()] == [0]


def test_while_another_program_looks_at_it_it_stays(path: Path, success: MakeSuccess) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(0)])
    with CheckpointReader.read(path) as reader:
        reader.counts()
        with pytest.raises(StorageError, match="is held by another program"):
            set_aside(path)
        assert reader.counts().rows == 1
    assert path.exists()
