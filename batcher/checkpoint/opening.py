"""How a process begins with a checkpoint that it is going to write."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.connection import is_empty
from batcher.checkpoint.facts import fact_in, remember
from batcher.checkpoint.ownership import Ownership
from batcher.checkpoint.reader import KILLED_CALLS, check
from batcher.errors import StorageError


def claim(connection: sqlite3.Connection, path: Path, *, shared: bool) -> Ownership:
    """Become the owner, and remember how many calls the last one can have left in flight.

    Raises:
        LockedError: another process works on it.
    """
    ownership = Ownership.claim(connection, path.parent, shared=shared)
    if ownership.orphaned_calls:
        before = fact_in(connection, path, KILLED_CALLS)
        killed = ownership.orphaned_calls + (before if isinstance(before, int) else 0)
        remember(connection, {KILLED_CALLS: killed})
    return ownership


def set_journal(connection: sqlite3.Connection, path: Path, journal: str) -> None:
    """Have changes written in the way `journal`, each as safe as it has to be.

    Raises:
        StorageError: SQLite cannot do so there.
    """
    # SQLite does not complain where it cannot; it stays in another mode.
    (mode,) = connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
    if mode != journal.lower():
        raise StorageError(
            f"{path} cannot be read while it is written there (journal mode {mode}); "
            "name a directory on a local disk with -o"
        )
    if journal == "WAL":
        # What NORMAL leaves out, LogSync does.
        connection.execute("PRAGMA synchronous = NORMAL")
    else:
        connection.execute("PRAGMA synchronous = FULL")
        # Here a writer waits for readers, and an export reads for minutes.
        connection.execute("PRAGMA busy_timeout = 600000")


def create_or_check(connection: sqlite3.Connection, path: Path) -> None:
    """Make an empty database a checkpoint; make sure that any other is one.

    Raises:
        StorageError: it is none, or of another version.
    """
    if is_empty(connection):
        connection.executescript(f"BEGIN IMMEDIATE; {schema.CREATE} COMMIT;")
    else:
        check(connection, path)
