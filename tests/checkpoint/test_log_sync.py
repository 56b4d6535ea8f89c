"""SQLite's log: synced by us, kept short by us, and every error of the disk seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint
from batcher.checkpoint.log_sync import MAX_LOG, LogSync
from batcher.errors import StorageError
from batcher.records import Success

MakeSuccess = Callable[..., Success]


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def test_a_long_log_is_moved_into_the_database_and_begins_anew(
    checkpoint: Checkpoint, path: Path, success: MakeSuccess
) -> None:
    sizes = []
    for row in range(3 * MAX_LOG // 100_000):
        checkpoint.write([success(row, text="x" * 100_000)])
        sizes.append(_log(path).stat().st_size)
    assert max(sizes) < MAX_LOG + 200_000
    assert path.stat().st_size > MAX_LOG
    assert len(list(checkpoint.outcomes())) == len(sizes)


def test_a_log_that_a_reader_needs_grows_and_is_shortened_after(
    checkpoint: Checkpoint, path: Path, success: MakeSuccess
) -> None:
    checkpoint.write([success(row) for row in range(4)])
    outcomes = checkpoint.outcomes()
    next(outcomes)
    for row in range(4, 2 * MAX_LOG // 100_000):
        checkpoint.write([success(row, text="x" * 100_000)])
    assert _log(path).stat().st_size > 1.5 * MAX_LOG
    assert len(list(outcomes)) == 3
    checkpoint.write([success(1)])
    checkpoint.write([success(2)])
    assert _log(path).stat().st_size < MAX_LOG


def test_an_fsync_that_fails_says_so(path: Path, checkpoint: Checkpoint) -> None:
    """A pipe cannot be synced."""
    reader, writer = os.pipe()
    try:
        log = LogSync(checkpoint._writer, path, writer)
        with pytest.raises(StorageError, match=r"disk of .*checkpoint\.db failed: Invalid arg"):
            log.sync()
    finally:
        os.close(reader)
        os.close(writer)


def test_a_log_that_is_not_there_says_so(path: Path, checkpoint: Checkpoint) -> None:
    elsewhere = path.with_name("other.db")
    with (
        pytest.raises(StorageError, match=r"cannot open the log of .*other\.db: No such file"),
        LogSync.opened(checkpoint._writer, elsewhere),
    ):
        pass
