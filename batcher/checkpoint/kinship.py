"""What two checkpoints have in common that went on from one backup: attempts, and rows.

An attempt is known by its request id, which no other one has. So it shows under which key the other
checkpoint has a row that got another number in one of them, and which failed attempts both count.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from batcher.errors import ErrorClass

_CALL = "finished_at, request_id, source, sample, id, key"
# Whose number is their id, so that one before them changes it.
_NUMBERED = "key IS NOT NULL AND id NOT GLOB '*[^0-9]*'"


def _numbered(of: str) -> str:
    return " UNION ALL ".join(
        f"SELECT {_CALL} FROM {of}.{table} WHERE {_NUMBERED}" for table in ("outcomes", "shelved")
    )


_NOTED = (
    f"CREATE TEMP TABLE numbered AS {_numbered('main')}",
    "CREATE INDEX temp.numbered_call ON numbered (finished_at, request_id)",
    "CREATE INDEX temp.numbered_key ON numbered (key)",
    "CREATE TEMP TABLE failed AS SELECT request_id, key FROM main.failed_attempts",
    "CREATE INDEX temp.failed_request ON failed (request_id)",
    "CREATE TEMP TABLE renamed (was TEXT PRIMARY KEY, id TEXT, key TEXT) WITHOUT ROWID",
    # By the call of an outcome that both have, else by one that failed before.
    f"""
    INSERT OR IGNORE INTO renamed SELECT o.key, n.id, n.key FROM ({_numbered("other")}) o
    JOIN numbered n ON n.finished_at = o.finished_at AND n.request_id IS o.request_id
    AND n.source IS o.source AND n.sample = o.sample WHERE n.key <> o.key
    """,
    """
    INSERT OR IGNORE INTO renamed SELECT f.key, n.id, n.key FROM other.failed_attempts f
    JOIN failed m USING (request_id) JOIN numbered n ON n.key = m.key WHERE f.key <> m.key
    """,
    f"""
    CREATE TEMP TABLE common AS SELECT m.key AS key, count(*) AS attempts,
    sum(f.error_class = '{ErrorClass.AMBIGUOUS.value}') AS ambiguous
    FROM other.failed_attempts f LEFT JOIN renamed r ON r.was = f.key
    JOIN failed m ON m.request_id = f.request_id AND m.key = coalesce(r.key, f.key) GROUP BY m.key
    """,
    "CREATE INDEX temp.common_key ON common (key)",
)
_BRING_IN = """
    INSERT INTO main.failed_attempts SELECT coalesce(r.key, f.key), number, request_id, started_at,
    latency_s, error_class, code, http_status FROM other.failed_attempts f
    LEFT JOIN temp.renamed r ON r.was = f.key
    WHERE NOT EXISTS (SELECT 1 FROM temp.failed m WHERE m.request_id = f.request_id)
"""


class Common(NamedTuple):
    """Of a row, the failed attempts that both count; of how many of them no whole answer came."""

    attempts: int
    ambiguous: int

    def beyond(self, other: Common) -> Common:
        """Return what is in this beside `other`."""
        return Common(
            max(0, self.attempts - other.attempts), max(0, self.ambiguous - other.ambiguous)
        )


class Kinship:
    """What the checkpoints `main` and `other` of a connection have in common."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Find it out, in a transaction; for good, whatever is brought in after that."""
        self._connection = connection
        for table in ("numbered", "failed", "renamed", "common"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        for statement in _NOTED:
            connection.execute(statement)

    def common(self, key: str | None) -> Common:
        """Return what both count of the row with this key in `main`."""
        found = self._connection.execute(
            "SELECT attempts, ambiguous FROM temp.common WHERE key = ?", (key,)
        ).fetchone()
        return Common(*found) if found else Common(0, 0)

    def bring_in_attempts(self) -> None:
        """Bring in the failed attempts that only `other` has: so they are known the next time."""
        self._connection.execute(_BRING_IN)
