"""SQLite's write-ahead log: brought to disk, and kept short, where every error is seen.

SQLite would do both by itself, but its automatic checkpoints drop the error of an fsync, and the
next one, which finds nothing left to write, would then call lost pages safe (promise 5).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from batcher.checkpoint.connection import translated
from batcher.errors import DiskFullError, StorageError

# As SQLite's own limit: 1,000 pages of 4 KiB.
MAX_LOG = 1000 * 4096


class LogSync:
    """The log of one database, which a connection in WAL mode writes."""

    def __init__(self, connection: sqlite3.Connection, path: Path, descriptor: int) -> None:
        """Use `opened`."""
        self._connection = connection
        self._path = path
        self._descriptor = descriptor

    @classmethod
    @contextlib.contextmanager
    def opened(cls, connection: sqlite3.Connection, path: Path) -> Iterator[LogSync]:
        """Take over the log of `connection`, which has written to `path` before.

        Raises:
            StorageError: the log cannot be opened.
        """
        with translated(path):
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            # So that its size says how much of it is in use.
            connection.execute("PRAGMA journal_size_limit = 0")
        try:
            descriptor = os.open(path.with_name(f"{path.name}-wal"), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError(f"cannot open the log of {path}: {error.strerror}") from None
        try:
            yield cls(connection, path, descriptor)
        finally:
            os.close(descriptor)

    def sync(self) -> None:
        """Bring the log to disk; may run beside a write.

        Raises:
            StorageError: what was written since the last sync may not be on the disk.
        """
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise StorageError(
                f"the disk of {self._path} failed: {error.strerror}. What was recorded before is "
                "safe; repair the disk, then run the same command again"
            ) from error

    def shorten(self) -> None:
        """Move a long log into the database, so that it can begin anew; not beside a write.

        On a full disk it stays long: what is written is in it.

        Raises:
            StorageError: the disk failed; the run must end.
        """
        if os.fstat(self._descriptor).st_size >= MAX_LOG:
            with contextlib.suppress(DiskFullError), translated(self._path):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
