"""Which of two checkpoints of one run has all that the other has.

A checkpoint writes on one line, and counts on it the backups that were made of it. Whoever goes on
with a backup begins a new line there. So each checkpoint knows its lines, and how far it came on
each; a backup has its checkpoint's lineage, counted with itself. Before all lines stands the name
of the run, which all that were begun for it share.
"""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from batcher.checkpoint.connection import connected, damaged, is_empty, transaction, translated
from batcher.checkpoint.facts import fact_in, remember
from batcher.checkpoint.reader import CUT_SHORT, check
from batcher.checkpoint.worth import worth_in

LINEAGE = "lineage"
"""The fact that holds it; without one, no backup was ever made."""
BACKED_UP = "backed_up"
"""The fact that says what a checkpoint held when the last backup of it was made, or it was one."""


class Step(NamedTuple):
    """A line, by its random name, and how many backups were made on it."""

    line: str
    backups: int


@dataclass(frozen=True, slots=True)
class Lineage:
    """The lines of a checkpoint: the first names the run, the last is its own."""

    steps: tuple[Step, ...]

    @property
    def backups(self) -> int:
        """How many backups were made of the run on the way here."""
        return sum(step.backups for step in self.steps)

    def holds(self, backup: Lineage) -> bool:
        """Whether a checkpoint of this lineage has all that a backup has."""
        last = backup.steps[-1]
        return any(s.line == last.line and s.backups >= last.backups for s in self.steps)

    @property
    def run(self) -> str:
        """The name of the run."""
        return self.steps[0].line


def lineage_in(connection: sqlite3.Connection, path: Path) -> Lineage | None:
    """Return the lineage that `connection` sees in the checkpoint `path`; None where it has none.

    Raises:
        StorageError: it is not what was remembered.
    """
    fact = fact_in(connection, path, LINEAGE)
    if fact is None:
        return None
    try:
        steps = msgspec.convert(fact, tuple[Step, ...])
    except msgspec.ValidationError as error:
        raise damaged(path, f"its lineage is none: {error}") from None
    return Lineage(steps)


def lineage_of(path: Path) -> Lineage | None:
    """Return the lineage of the checkpoint at `path`; None where it has none, or there is none.

    Raises:
        StorageError: it is damaged, or of another program or version.
    """
    if not path.exists():
        return None
    with translated(path), connected(path) as connection:
        if is_empty(connection):
            return None
        check(connection, path)
        return lineage_in(connection, path)


def count_backup(connection: sqlite3.Connection, path: Path, run: str) -> None:
    """Count a backup that is about to be made, in a transaction of `connection`.

    The first one makes the checkpoint one of `run`, which others may have begun as well.
    """
    lineage = lineage_in(connection, path)
    steps = lineage.steps if lineage else (Step(run, 0), Step(_new_line(), 0))
    *before, (line, backups) = steps
    counted = [*before, Step(line, backups + 1)]
    remember(connection, {LINEAGE: counted, BACKED_UP: worth_in(connection)})


def begin_line(path: Path) -> bool:
    """Let the backup at `path`, of which nobody else knows, go on as a checkpoint.

    Returns whether its process had not ended by then. What that called afterwards, which is no less
    than what was in flight, nobody knows; so that is counted as no calls, but remembered.

    Raises:
        StorageError: it is damaged, no backup, or of another version.
    """
    with translated(path), connected(path) as connection, transaction(connection):
        check(connection, path)
        lineage = lineage_in(connection, path)
        if lineage is None:
            raise damaged(path, "it is no backup")
        facts: dict[str, object] = {LINEAGE: [*lineage.steps, Step(_new_line(), 0)]}
        cut_short = connection.execute("DELETE FROM owner").rowcount > 0
        if cut_short:
            before = fact_in(connection, path, CUT_SHORT)
            facts[CUT_SHORT] = 1 + (before if isinstance(before, int) else 0)
        facts[BACKED_UP] = worth_in(connection)
        remember(connection, facts)
    return cut_short


def is_in(path: Path, backup: Lineage) -> bool:
    """Whether a backup has all that the checkpoint at `path` recorded, which nobody works on.

    So it is where that one lags behind: it did nothing since a backup that others went on with. Of
    what was in flight when its last process was killed no backup knows.

    Raises:
        StorageError: it is damaged, or of another program or version.
    """
    with translated(path), connected(path) as connection, transaction(connection):
        check(connection, path)
        lineage = lineage_in(connection, path)
        backed_up = tuple(step for step in lineage.steps if step.backups) if lineage else ()
        unchanged = fact_in(connection, path, BACKED_UP) == worth_in(connection)
        in_flight = connection.execute("SELECT 1 FROM owner WHERE calls > 0").fetchone()
    return unchanged and in_flight is None and bool(backed_up) and backup.holds(Lineage(backed_up))


def forget_backups(connection: sqlite3.Connection, path: Path) -> None:
    """Let a checkpoint that has lost something no more have all that its backups have.

    In a transaction of `connection`; it stays one of its run.
    """
    lineage = lineage_in(connection, path)
    if lineage is not None:
        remember(connection, {LINEAGE: [Step(lineage.run, 0), Step(_new_line(), 0)]})


def _new_line() -> str:
    return uuid.uuid4().hex
