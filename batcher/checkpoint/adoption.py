"""What only one of two checkpoints of a run has, brought into the other.

Two processes may have gone on with the same backup. What both recorded since was paid twice; what
one of them recorded must not be paid again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from batcher.checkpoint.connection import connected, transaction, translated
from batcher.checkpoint.encoding import carried
from batcher.checkpoint.facts import fact_in, remember
from batcher.checkpoint.reader import check
from batcher.checkpoint.schema import COLUMNS

_MADE_FROM = ("fingerprint", "settings")
_WIDTH = len(COLUMNS.split(", "))
_UNKNOWN = (
    "o.key IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM main.outcomes m WHERE m.id = o.id AND m.key = o.key) "
    "AND NOT EXISTS (SELECT 1 FROM main.shelved s WHERE s.key = o.key)"
)


def _prefixed(name: str) -> str:
    return ", ".join(f"{name}.{column}" for column in COLUMNS.split(", "))


_SUCCEEDED_THERE = (
    f"SELECT {_prefixed('o')}, {_prefixed('m')} FROM other.outcomes o JOIN main.outcomes m "
    "ON m.row = o.row AND m.key = o.key AND m.error_class IS NOT NULL "
    "WHERE o.error_class IS NULL AND o.row > ? ORDER BY o.row LIMIT 256"
)
# Where a row is pending, what is known of its calls; what both know of is counted once.
_OF_PENDING = (
    """
    INSERT INTO main.unanswered SELECT * FROM other.unanswered WHERE true ON CONFLICT DO UPDATE
        SET calls = max(calls, excluded.calls), cost = max(cost, excluded.cost)
    """,
    "INSERT OR IGNORE INTO main.invalid_answers SELECT * FROM other.invalid_answers",
    "DELETE FROM main.unanswered WHERE key IN (SELECT key FROM main.outcomes)",
    "DELETE FROM main.invalid_answers WHERE key IN (SELECT key FROM main.outcomes)",
)


def adopt(path: Path, other: Path) -> int:
    """Bring into the checkpoint at `path` what only that at `other` has; return how many outcomes.

    Nobody may write either of them meanwhile; `other` stays as it is. A result takes the place of
    an error. Where the two are of different inputs or jobs, what is brought in is shelved, and the
    next run compares every row.

    Raises:
        StorageError: one of them is damaged, or of another version, or there is no room.
    """
    with translated(path), connected(path) as connection:
        check(connection, path)
        same_job = _made_from(connection, path) == _made_from_other(other)
        # Without it, REPLACE would skip the trigger that takes the old row from totals.
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute("ATTACH ? AS other", (f"{other.absolute().as_uri()}?mode=rw",))
        with transaction(connection):
            adopted = 0
            if same_job:
                adopted += _take_results(connection)
                adopted += connection.execute(
                    f"INSERT OR IGNORE INTO main.outcomes ({COLUMNS}) SELECT {COLUMNS} "
                    f"FROM other.outcomes o WHERE {_UNKNOWN}"
                ).rowcount
                for statement in _OF_PENDING:
                    connection.execute(statement)
            for table in ("outcomes", "shelved"):
                adopted += connection.execute(
                    f"INSERT OR IGNORE INTO main.shelved ({COLUMNS}) SELECT {COLUMNS} "
                    f"FROM other.{table} o WHERE {_UNKNOWN}"
                ).rowcount
            if adopted and not same_job:
                # That of no input: so each row is looked for among what is shelved.
                remember(connection, {"fingerprint": ""})
    return adopted


def _take_results(connection: sqlite3.Connection) -> int:
    """Let the results that `other` has take the places of errors; return how many there are."""
    taken, last = 0, -1
    while found := connection.execute(_SUCCEEDED_THERE, (last,)).fetchall():
        connection.executemany(
            f"INSERT OR REPLACE INTO main.outcomes ({COLUMNS}) VALUES ({', '.join('?' * _WIDTH)})",
            [carried(both[:_WIDTH], both[_WIDTH:]) for both in found],
        )
        taken, last = taken + len(found), found[-1][0]
    return taken


def _made_from(connection: sqlite3.Connection, path: Path) -> list[object]:
    return [fact_in(connection, path, name) for name in _MADE_FROM]


def _made_from_other(path: Path) -> list[object]:
    with translated(path), connected(path) as connection:
        check(connection, path)
        return _made_from(connection, path)
