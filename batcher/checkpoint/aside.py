"""A checkpoint that gives its place to another one: it gets another name, and is never deleted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from batcher.checkpoint.connection import connected, is_empty, translated
from batcher.checkpoint.reader import check
from batcher.checkpoint.unrecorded import Unrecorded

_NAME = "checkpoint.aside-{}.db"
# What a run pays for, and what it may have paid for: also what was in flight at a kill.
_WORTH = ("outcomes", "shelved", "unanswered", "invalid_answers", "owner WHERE calls > 0")


def holds_nothing(path: Path) -> bool:
    """Whether there is no checkpoint at `path`, or one of which nothing was called.

    Raises:
        StorageError: it is damaged, or of another program or version.
    """
    if not path.exists():
        return True
    with translated(path), connected(path) as connection:
        if is_empty(connection):
            return True
        check(connection, path)
        exists = " OR ".join(f"EXISTS (SELECT 1 FROM {table})" for table in _WORTH)
        (something,) = connection.execute(f"SELECT {exists}").fetchone()
        return not something and Unrecorded.of(connection, path).is_nothing


def set_aside(path: Path) -> Path:
    """Move the checkpoint at `path` to a free name beside it; return that.

    Raises:
        StorageError: another program has it open.
    """
    with translated(path), connected(path) as connection:
        connection.execute("PRAGMA busy_timeout = 1000")
        # Its log belongs to its name. SQLite ends it only when nobody else looks at it.
        connection.execute("PRAGMA journal_mode = DELETE")
    free = next(name for n in count(1) if not (name := path.with_name(_NAME.format(n))).exists())
    return path.rename(free)


def those_aside(path: Path) -> Iterator[Path]:
    """Yield the checkpoints that once gave up the place `path`, the last one first."""
    found = path.parent.glob(_NAME.format("*"))
    yield from sorted(found, key=lambda aside: (len(aside.name), aside.name), reverse=True)
