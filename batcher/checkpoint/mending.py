"""A damaged checkpoint, brought back to what it surely knows."""

from __future__ import annotations

import sqlite3
from collections import deque
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.connection import connected
from batcher.checkpoint.encoding import decoded, decoded_invalid
from batcher.checkpoint.lineage import forget_backups

_GROUP = "coalesce(error_class, ''), coalesce(finish_reason, ''), answered_by"
TOTALS = (
    f"SELECT {_GROUP}, count(*), sum(row), count(cost), "
    f"{', '.join(f'coalesce(sum({name}), 0)' for name in schema.SUMMED)} "
    "FROM outcomes GROUP BY 1, 2, 3"
)
"""SQL that counts what the table `totals` should hold, in the order of its columns and rows."""


def is_mendable(path: Path) -> bool:
    """Tell whether every record can be read, so that `mend` drops no more than the damaged ones."""
    with connected(path) as connection:
        try:
            for table in ("outcomes", "shelved", "invalid_answers", "facts"):
                deque(connection.execute(f"SELECT * FROM {table} NOT INDEXED"), maxlen=0)
        except sqlite3.DatabaseError:
            return False
    return True


def mend(connection: sqlite3.Connection, path: Path) -> int:
    """Drop every outcome that is not what was written, and make anew what follows from the rest.

    In a transaction of `connection`. Returns the number of rows of the input that are pending
    again by it. Places to start reading go as well: without them, reading starts at the front. What
    is lost may be in a backup, of which this is no later state any more.

    Raises:
        StorageError: what the checkpoint knows of its backups is lost.
    """
    lost = dropped = 0
    for table in ("outcomes", "shelved"):
        # An index may be damaged too, so the table itself is walked.
        rows = connection.execute(f"SELECT {schema.COLUMNS}, rowid FROM {table} NOT INDEXED")
        damaged = [rowid for *row, rowid in rows if decoded(row) is None]
        connection.executemany(
            f"DELETE FROM {table} WHERE rowid = ?", [(rowid,) for rowid in damaged]
        )
        lost += len(damaged)
        dropped += len(damaged) if table == "outcomes" else 0
    invalid = connection.execute("SELECT * FROM invalid_answers").fetchall()
    connection.executemany(
        "DELETE FROM invalid_answers WHERE key IS ?",
        [(key,) for key, *rest in invalid if decoded_invalid((key, *rest)) is None],
    )
    if lost:
        forget_backups(connection, path)
    connection.execute("DELETE FROM marks")
    connection.execute("DELETE FROM totals")
    connection.execute(f"INSERT INTO totals {TOTALS}")
    connection.execute("REINDEX")
    return dropped
