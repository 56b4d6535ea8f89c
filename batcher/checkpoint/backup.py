"""A checkpoint copied as it was at one moment, while it is written.

SQLite's online backup does it (https://www.sqlite.org/backup.html). With a log, a connection of its
own sees one moment of the database for as long as it reads, and nobody waits. Without one, a
reader keeps writers waiting; there the writing connection itself is the source, some pages at a
time: what it writes meanwhile SQLite brings into the copy as well. (What any other connection wrote
would make the backup begin anew, perhaps for ever.)
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from batcher.checkpoint.connection import connected, damaged, translated
from batcher.checkpoint.lineage import BACKED_UP, LINEAGE, Lineage, lineage_in
from batcher.checkpoint.worth import RECORDED, hashed

# 4 MiB, between which others may write, and it is asked whether there is still room.
_PAGES = 1024
# What is worth a new backup: what was recorded, and all that is known of the run.
_STATE = (
    f"SELECT name, value FROM facts WHERE name NOT IN ('{LINEAGE}', '{BACKED_UP}') ORDER BY name",
    *RECORDED,
)


class Backup(NamedTuple):
    """What a backup holds: rows that have an outcome, and a hash that says what else."""

    lineage: Lineage
    rows: int
    state: str


def back_up(path: Path, target: Path, go_on: Callable[[], None], *, ended: bool) -> Backup:
    """Copy the checkpoint at `path`, which has a log, to `target`, a new file.

    What `go_on` raises, which is called now and then, ends it. With `ended`, the copy is of a
    process that has ended in order, and names no owner.

    Raises:
        DiskFullError: there is no room for it.
        StorageError: the checkpoint is damaged, or the copy cannot be written.
    """
    with _created(path, target) as copy:
        with connected(path) as source:
            # It reads from now on, so that it is of one moment, however many steps it takes.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM facts").fetchone()
            source.backup(copy, pages=_PAGES, progress=lambda _status, _left, _pages: go_on())
        return _finished(copy, path, ended=ended)


def back_up_stepwise(
    writer: sqlite3.Connection,
    lock: threading.Lock,
    path: Path,
    target: Path,
    go_on: Callable[[], None],
    *,
    ended: bool,
) -> Backup:
    """Do what `back_up` does for a checkpoint without a log, which `writer` writes under `lock`.

    Raises:
        DiskFullError, StorageError: see `back_up`.
    """

    def let_others_write(_status: int, _left: int, _pages: int) -> None:
        lock.release()
        lock.acquire()
        go_on()

    with _created(path, target) as copy:
        with lock:
            writer.backup(copy, pages=_PAGES, progress=let_others_write)
        return _finished(copy, path, ended=ended)


def state_of(path: Path) -> str:
    """Return a hash that is another one once something was recorded that is worth a backup.

    Raises:
        StorageError: the checkpoint is damaged.
    """
    with translated(path), connected(path) as connection:
        return _state(connection)


@contextlib.contextmanager
def _created(path: Path, target: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a new database; its file has no need to outlive anything."""
    with translated(path):
        try:
            os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            # As SQLite would say it.
            raise sqlite3.OperationalError(f"cannot create {target}: {error.strerror}") from None
        with connected(target) as copy:
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            yield copy


def _finished(copy: sqlite3.Connection, path: Path, *, ended: bool) -> Backup:
    # One file, not to be read with a log beside it.
    copy.execute("PRAGMA journal_mode = DELETE").fetchone()
    if ended:
        copy.execute("DELETE FROM owner")
    lineage = lineage_in(copy, path)
    if lineage is None:
        raise damaged(path, "its lineage is gone")
    (rows,) = copy.execute("SELECT coalesce(sum(rows), 0) FROM totals").fetchone()
    return Backup(lineage, rows, _state(copy))


def _state(connection: sqlite3.Connection) -> str:
    connection.execute("BEGIN")
    try:
        return hashed(connection, _STATE)
    finally:
        connection.execute("COMMIT")
