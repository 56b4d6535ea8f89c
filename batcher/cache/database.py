"""`cache.db`: found or created, and known for what it is."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from batcher.errors import BatcherError, OutputError, StorageError
from batcher.filesystem import spans_machines

FILE = "cache.db"
VERSION = 1
APPLICATION_ID = 0x62746361  # "btca": lets `file` and a careful reader recognise the database
# Writers hold the file for some milliseconds, or one after the other for as many each.
BUSY_S = 5.0

_CREATE = f"""
    CREATE TABLE answers (
        key TEXT PRIMARY KEY, created_at INTEGER NOT NULL, answer BLOB NOT NULL,
        checksum INTEGER NOT NULL
    );
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
"""
_OTHER = "Name another directory with --cache"
_COPIES = (
    "It holds copies only: delete it, and answers are kept anew; or name another directory with "
    "--cache"
)


def prepared(directory: Path, *, shared: bool | None = None, busy_s: float = BUSY_S) -> Path:
    """Return the path of the cache in `directory`, which is created where there is none.

    `shared` says whether other machines reach the files; None finds out. For `busy_s` seconds
    it waits for others to let go of it.

    Raises:
        OutputError: it cannot be created, or not be written.
        StorageError: it is damaged, or of another program or version.
    """
    path = directory / FILE
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Created here, so that no moment exists in which others may read it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise OutputError(f"cannot create the cache {path}: {error.strerror}. {_OTHER}") from None
    if shared is None:
        shared = spans_machines(directory)
    try:
        with connected(path, busy_s) as connection:
            _create_or_check(connection, path)
            _set_journal(connection, shared=shared)
    except sqlite3.Error as error:
        raise _told(error, path) from error
    return path


@contextlib.contextmanager
def connected(path: Path, busy_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
    """Yield a connection to an existing cache, in autocommit mode; close it at the end."""
    with contextlib.closing(
        sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            timeout=busy_s,
            # Opened by one thread, used by another, never by two at once.
            check_same_thread=False,
        )
    ) as connection:
        # What a loss of power takes from a cache is called anew; but it stays a whole one.
        connection.execute("PRAGMA synchronous = NORMAL")
        yield connection


def _create_or_check(connection: sqlite3.Connection, path: Path) -> None:
    if _is_empty(connection):
        with connection:
            # Two runs may come first at once.
            connection.execute("BEGIN IMMEDIATE")
            if _is_empty(connection):
                for statement in _CREATE.split(";"):
                    connection.execute(statement)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StorageError(f"{path} is no cache of batcher. {_OTHER}")
    if version != VERSION:
        raise StorageError(
            f"the cache {path} has schema version {version}, this batcher reads {VERSION}. "
            f"{_COPIES}"
        )


def _is_empty(connection: sqlite3.Connection) -> bool:
    tables: int
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return not tables


def _set_journal(connection: sqlite3.Connection, *, shared: bool) -> None:
    if shared:
        # The write-ahead log needs memory that no two machines share.
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        return
    # While another run uses the file its mode cannot be changed; then it stays as that run has it.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")


def _told(error: sqlite3.Error, path: Path) -> BatcherError:
    """Return the error of a cache that cannot be used from the start."""
    # The second byte of a result code is detail.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return StorageError(f"{path} is no cache of batcher. {_OTHER}")
    if code == sqlite3.SQLITE_CORRUPT:
        return StorageError(f"the cache {path} is damaged: {error}. {_COPIES}")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL):
        return OutputError(f"cannot write the cache {path}: {error}. {_OTHER}")
    return StorageError(f"the cache {path} failed: {error}. {_OTHER}, or try again")
