"""Connections to SQLite, and the one seam where its errors become ours."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from batcher.errors import DiskFullError, StorageError

_DAMAGED = (
    "is damaged: {}. Put back a copy of it. Without one, `batcher verify DIR` says whether it can "
    "be mended; else name another directory with -o, and every row is called anew"
)
_FULL = (
    "has no room left: {}. Everything recorded before is safe; free space, then run the same "
    "command again"
)
_IN_USE = "is held by another program: {}. Close that, then run the same command again"
_FAILED = (
    "failed: {}. Everything recorded before is safe; free space or repair the disk, then run the "
    "same command again"
)
# By SQLite's primary result code.
_SAYINGS = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
}


@contextlib.contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to an existing database, in autocommit mode; close it at the end.

    Raises:
        StorageError: it cannot be opened.
    """
    with translated(path):
        # The writer's thread changes from commit to commit, but never two at once.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            timeout=30,
            check_same_thread=False,
        )
    with contextlib.closing(connection):
        with translated(path):
            # Finds some damage that would be read as if it were data.
            connection.execute("PRAGMA cell_size_check = ON")
        yield connection


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether a database has nothing in it; so it is left where its creation was cut short."""
    (parts,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return not parts


def damaged(path: Path | str, what: str) -> StorageError:
    """Return the error of a checkpoint that does not hold what was written into it."""
    return StorageError(f"the checkpoint {path} {_DAMAGED.format(what)}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the body writes when it ends, or nothing of it after an exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some errors SQLite has rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def translated(path: Path | str) -> Iterator[None]:
    """Tell the user of SQLite's errors: what is wrong with `path`, and the way out.

    Raises:
        StorageError: in place of an `sqlite3.Error`; a DiskFullError where there is no room.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        # From within SQLite's own complaint.
        raise damaged(path, str(error)) from error
    except sqlite3.Error as error:
        # Python's own complaint, without a code: bytes that were text.
        if str(error).startswith("Could not decode"):
            raise damaged(path, str(error)) from error
        # The second byte of a result code is detail. Python's own complaints have none.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        kind = DiskFullError if code == sqlite3.SQLITE_FULL else StorageError
        saying = _SAYINGS.get(code, _FAILED).format(error)
        raise kind(f"the checkpoint {path} {saying}") from error
