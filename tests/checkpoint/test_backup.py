"""Copies of a checkpoint, made while it is written."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.checkpoint.access import ClosedError
from batcher.checkpoint.backup import back_up, state_of
from batcher.checkpoint.space import MARGIN_BYTES, free_at
from batcher.errors import DiskFullError, StorageError
from batcher.records import Failure, InvalidAnswer, Success, Unanswered

Problems = Callable[[Path], Sequence[str]]
MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeInvalid = Callable[..., InvalidAnswer]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup.db"


def _query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("shared", [False, True], ids=["with a log", "without"])
def test_a_backup_is_one_file_that_holds_all_that_was_recorded(
    path: Path, target: Path, success: MakeSuccess, problems: Problems, *, shared: bool
) -> None:
    with Checkpoint.open(path, shared=shared) as checkpoint:
        checkpoint.write([success(row) for row in range(300)])
        backup = checkpoint.back_up(target, "run")
        checkpoint.write([success(300)])
    assert backup.rows == 300
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(entry.name for entry in target.parent.glob("backup.db*")) == ["backup.db"]
    assert _query(target, "PRAGMA journal_mode") == [("delete",)]
    assert problems(target) == []
    with CheckpointReader.read(target) as copy:
        assert [outcome.row for outcome in copy.outcomes()] == [*range(300)]


@pytest.mark.parametrize("shared", [False, True], ids=["with a log", "without"])
def test_rows_are_recorded_while_a_backup_is_made_which_is_of_one_moment(
    path: Path, target: Path, success: MakeSuccess, problems: Problems, *, shared: bool
) -> None:
    """And it comes to an end, however steadily rows are written."""
    over = threading.Event()
    with Checkpoint.open(path, shared=shared) as checkpoint:
        checkpoint.write([success(row, text="x" * 4000) for row in range(3000)])

        def record() -> None:
            row = 3000
            while not over.is_set():
                checkpoint.write([success(row), success(row + 1)])
                row += 2

        writer = threading.Thread(target=record)
        writer.start()
        try:
            backup = checkpoint.back_up(target, "run")
        finally:
            over.set()
            writer.join()
        assert checkpoint.counts().rows > 3000
    assert problems(target) == []
    with CheckpointReader.read(target) as copy:
        rows = [outcome.row for outcome in copy.outcomes()]
    # Two are recorded together, so one alone would be of no moment.
    assert rows == [*range(backup.rows)]
    assert len(rows) % 2 == 0


def test_what_a_backup_holds_is_on_the_disk_before_anyone_is_told(
    path: Path, target: Path, success: MakeSuccess
) -> None:
    """Else a loss of power could take from here what the backup has."""
    synced: list[int] = []
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(0)])
        log = checkpoint._log
        assert log is not None
        sync = log.sync

        def counted() -> None:
            synced.append(target.stat().st_size)
            sync()

        log.sync = counted  # type: ignore[method-assign]
        checkpoint.back_up(target, "run")
    assert synced
    assert min(synced) > 0


def test_the_backup_of_a_process_at_work_names_it_and_that_of_one_that_ended_does_not(
    path: Path, target: Path
) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.expect(7)
        checkpoint.back_up(target, "run")
        checkpoint.back_up(target.with_name("last.db"), "run", ended=True)
    assert _query(target, "SELECT pid, calls FROM owner") == [(os.getpid(), 7)]
    assert _query(target.with_name("last.db"), "SELECT * FROM owner") == []


def test_the_calls_that_were_in_flight_are_counted_where_the_run_goes_on(
    path: Path, target: Path
) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.expect(7)
        checkpoint.back_up(target, "run")
    with Checkpoint.open(target) as elsewhere:
        assert elsewhere.counts().killed_calls == 7


def test_the_state_changes_with_what_is_worth_a_backup_and_with_nothing_else(
    path: Path, target: Path, success: MakeSuccess, failure: MakeFailure, invalid: MakeInvalid
) -> None:
    with Checkpoint.open(path) as checkpoint:
        states = [state_of(path)]
        changes: list[Callable[[], None]] = [
            lambda: checkpoint.write([success(0)]),
            lambda: checkpoint.write([failure(1)]),
            lambda: checkpoint.write([success(1)]),
            lambda: checkpoint.write([], unanswered=[Unanswered("key", 5)]),
            lambda: checkpoint.write([invalid("other")]),
            lambda: checkpoint.remember(input={"files": []}),
        ]
        for change in changes:
            change()
            states.append(state_of(path))
        assert len({*states}) == len(states)
        backup = checkpoint.back_up(target, "run")
        checkpoint.expect(3)
        checkpoint.begin_process(1_000)
        assert state_of(path) == backup.state == states[-1]


def test_a_file_that_is_there_is_not_written_over(path: Path, target: Path) -> None:
    target.write_text("someone else's")
    with (
        Checkpoint.open(path) as checkpoint,
        pytest.raises(StorageError, match=r"cannot create .*File exists"),
    ):
        checkpoint.back_up(target, "run")
    assert target.read_text() == "someone else's"


def test_a_checkpoint_that_counts_no_backups_has_none_to_show(path: Path, target: Path) -> None:
    with Checkpoint.open(path), pytest.raises(StorageError, match="its lineage is gone"):
        back_up(path, target, lambda: None, ended=False)


def test_a_full_disk_fails_the_backup_and_not_what_is_recorded_after(
    path: Path, target: Path, success: MakeSuccess
) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(row) for row in range(100)])
        checkpoint._writer.execute("PRAGMA max_page_count = 1")
        with pytest.raises(DiskFullError):
            checkpoint.write([success(row, text="x" * 10_000) for row in range(100, 200)])
        checkpoint._writer.execute("PRAGMA max_page_count = 1000000")
        checkpoint.write([success(500)])
        assert checkpoint.back_up(target, "run").rows == checkpoint.counts().rows


def test_after_the_disk_has_failed_once_no_thread_is_told_that_a_later_sync_was_well(
    path: Path, target: Path, success: MakeSuccess
) -> None:
    """Its error is given to one of them only, and the next one finds nothing left to write."""

    class Failing:
        def sync(self) -> None:
            raise StorageError("the disk failed")

        def shorten(self) -> None: ...

    def fail(checkpoint: Checkpoint) -> None:
        log = checkpoint._log
        checkpoint._log = Failing()  # type: ignore[assignment]
        with pytest.raises(StorageError, match="the disk failed"):
            checkpoint.back_up(target, "run")
        checkpoint._log = log

    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(0)])
        fail(checkpoint)
        with pytest.raises(StorageError, match="the disk failed"):
            checkpoint.write([success(1)])
        with pytest.raises(StorageError, match="the disk failed"):
            checkpoint.sync()


GROWING = 8 * 1024 * 1024


@pytest.mark.parametrize("shared", [False, True], ids=["with a log", "without"])
def test_a_backup_that_would_leave_no_room_for_answers_is_not_begun(
    path: Path, target: Path, success: MakeSuccess, *, shared: bool
) -> None:
    with Checkpoint.open(path, shared=shared) as checkpoint:
        checkpoint.write([success(0, text="x" * GROWING)])
        free = MARGIN_BYTES + GROWING
        with pytest.raises(DiskFullError, match=r"no room for it: it takes .* 72\.0 MiB are free"):
            checkpoint.back_up(target, "run", free=lambda _: free)
        assert not target.exists()
        size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
        backup = checkpoint.back_up(target, "run", free=lambda _: MARGIN_BYTES + size)
    # What was not begun counts for nothing.
    assert (backup.rows, backup.lineage.backups) == (1, 1)


@pytest.mark.parametrize("shared", [False, True], ids=["with a log", "without"])
@pytest.mark.parametrize("by", ["others", "an answer"])
def test_a_backup_is_broken_off_once_the_disk_is_filled(
    by: str, path: Path, target: Path, success: MakeSuccess, problems: Problems, *, shared: bool
) -> None:
    """What the reserve gave back is for answers, also where a quota shows no full disk."""
    with Checkpoint.open(path, shared=shared) as checkpoint:
        checkpoint.write([success(0, text="x" * GROWING)])
        looks = 0

        def free(_directory: Path) -> int:
            nonlocal looks
            looks += 1
            if looks == 2 and by == "an answer":
                checkpoint._space.full = True
            return MARGIN_BYTES - 1 if looks == 2 and by == "others" else 2**40

        with pytest.raises(DiskFullError, match="no room for it"):
            checkpoint.back_up(target, "run", free=free)
        assert looks == 2
        assert target.stat().st_size < GROWING
        checkpoint.write([success(1)])
        target.unlink()
        assert checkpoint.back_up(target, "run").rows == 2
    assert problems(target) == []


def test_an_answer_that_finds_no_room_says_so(path: Path, success: MakeSuccess) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint._writer.execute("PRAGMA max_page_count = 1")
        with pytest.raises(DiskFullError):
            checkpoint.write([success(0, text="x" * 100_000)])
        assert checkpoint._space.full


def test_what_is_free_is_what_the_disk_says_if_it_says_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 < free_at(tmp_path) < sys.maxsize
    nothing = os.statvfs_result([0] * 10)
    monkeypatch.setattr(os, "statvfs", lambda _path: nothing)
    assert free_at(tmp_path) == sys.maxsize


@pytest.mark.parametrize("shared", [False, True], ids=["with a log", "without"])
def test_a_checkpoint_that_is_closed_breaks_off_the_backup_and_waits_until_it_is_over(
    path: Path, target: Path, success: MakeSuccess, problems: Problems, *, shared: bool
) -> None:
    """To close what another thread reads would crash the process."""
    looked, over, ended = threading.Event(), threading.Event(), list[str]()

    def back_up(checkpoint: Checkpoint) -> None:
        looks = 0

        def free(_directory: Path) -> int:
            nonlocal looks
            looks += 1
            if looks == 2:
                looked.set()
                while not (checkpoint._access._closing or over.is_set()):
                    pass
            return 2**40

        with pytest.raises(ClosedError):
            checkpoint.back_up(target, "run", free=free)
        # Once the closing is waited for, there is no further look.
        ended.append(f"{looks} looks")

    with Checkpoint.open(path, shared=shared) as checkpoint:
        checkpoint.write([success(0, text="x" * 2 * GROWING)])
        thread = threading.Thread(target=back_up, args=(checkpoint,))
        thread.start()
        looked.wait()
    over.set()
    thread.join()
    assert ended == ["2 looks"]
    with pytest.raises(ClosedError):
        checkpoint.back_up(target.with_name("late.db"), "run")
    assert problems(path) == []
