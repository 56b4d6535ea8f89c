"""What two checkpoints know of the calls of rows that were pending in one of them, made one.

Such calls are counted by key, without a word which ones they were. So of what both may have from
one backup the larger sum counts; and where the row has an outcome in the other one, what that has
taken up counts with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from batcher.checkpoint.encoding import decoded_invalid
from batcher.checkpoint.schema import INVALID_VALUES

_ASKED = " UNION ".join(
    f"SELECT key FROM {of}.{table}"
    for of in ("main", "other")
    for table in ("unanswered", "invalid_answers")
)


class _Sent(NamedTuple):
    """Calls that were sent and not answered whole, and the most that they can have cost."""

    calls: int
    cost: int


class _Spent(NamedTuple):
    """What the outcome of a row took."""

    attempts: int
    sent: _Sent


@dataclass(frozen=True, slots=True)
class _Side:
    """What one of the two knows, by key; `spent` of rows whose calls either knows of."""

    sent: dict[str, _Sent]
    invalid: dict[str, tuple[Any, ...]]
    spent: dict[str, _Spent]

    @classmethod
    def of(cls, connection: sqlite3.Connection, name: str) -> _Side:
        """Read the checkpoint that `connection` knows by this name."""
        sent = connection.execute(f"SELECT key, calls, cost FROM {name}.unanswered")
        invalid = connection.execute(f"SELECT * FROM {name}.invalid_answers")
        spent = connection.execute(
            " UNION ALL ".join(
                "SELECT key, attempts, ambiguous_attempts, possible_cost "
                f"FROM {name}.{table} WHERE key IN ({_ASKED})"
                for table in ("shelved", "outcomes")
            )
        )
        return cls(
            {key: _Sent(*of_key) for key, *of_key in sent},
            {row[0]: row for row in invalid},
            {key: _Spent(attempts, _Sent(*of_key)) for key, attempts, *of_key in spent},
        )

    def sent_beside(self, key: str, other: _Side) -> _Sent:
        """Return what was sent for a row, less what its outcome has taken up there."""
        known = self.sent.get(key, _Sent(0, 0))
        if key in self.spent or key not in other.spent:
            return known
        taken = other.spent[key].sent
        return _Sent(max(0, known.calls - taken.calls), max(0, known.cost - taken.cost))

    def invalid_beside(self, key: str, other: _Side) -> tuple[Any, ...] | None:
        """Return the answer of no use to a row, unless its outcome has taken it up there."""
        row = self.invalid.get(key)
        if row is None or key in self.spent or key not in other.spent:
            return row
        return row if _answers(row) >= other.spent[key].attempts else None


class Underway:
    """What `main` and `other` of a connection know of the calls of pending rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read it, in a transaction, before any outcome is brought in."""
        self._connection = connection
        (some,) = connection.execute(f"SELECT EXISTS ({_ASKED})").fetchone()
        self._sides = [_Side.of(connection, name) for name in ("main", "other")] if some else []

    def bring_in(self) -> bool:
        """Let `main` know what either does; return whether rows may have other numbers there."""
        if not self._sides:
            return False
        mine, theirs = self._sides
        execute, many = self._connection.execute, self._connection.executemany
        come = execute("INSERT OR IGNORE INTO main.pending SELECT * FROM other.pending").rowcount
        execute("DELETE FROM main.unanswered")
        execute("DELETE FROM main.invalid_answers")
        many("INSERT INTO main.unanswered VALUES (?, ?, ?)", _sent_in(mine, theirs))
        many(f"INSERT INTO main.invalid_answers {INVALID_VALUES}", _invalid_in(mine, theirs))
        execute(
            "DELETE FROM main.pending WHERE key NOT IN (SELECT key FROM main.unanswered UNION ALL "
            "SELECT key FROM main.invalid_answers)"
        )
        return come > 0


def _sent_in(mine: _Side, theirs: _Side) -> Iterator[tuple[str, int, int]]:
    for key in mine.sent | theirs.sent:
        here, there = mine.sent_beside(key, theirs), theirs.sent_beside(key, mine)
        if calls := max(here.calls, there.calls):
            yield key, calls, max(here.cost, there.cost)


def _invalid_in(mine: _Side, theirs: _Side) -> Iterator[tuple[Any, ...]]:
    for key in mine.invalid | theirs.invalid:
        both = (mine.invalid_beside(key, theirs), theirs.invalid_beside(key, mine))
        if left := [row for row in both if row is not None]:
            yield max(left, key=_answers)


def _answers(row: tuple[Any, ...]) -> int:
    answer = decoded_invalid(row)
    # What is damaged is told of when it is read.
    return 0 if answer is None else answer.answers
