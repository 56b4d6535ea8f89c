"""Rows that have only their number for an id, found under another number with what they have.

A file that comes among the others gives new numbers to all rows behind it, and so new ids and new
keys where they have no id of their own. Such a row is still the same if it stands where it stood,
in the same line of the same file, and asks the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.connection import damaged
from batcher.checkpoint.encoding import carried, sealed
from batcher.checkpoint.pending import move_pending
from batcher.checkpoint.recall import recalled
from batcher.checkpoint.shares import is_merged, move_shares
from batcher.recorded import Recorded
from batcher.records import Request
from batcher.render import key_under


class Numbered:
    """Where rows stood that have only their number for an id, each with `samples` answers."""

    def __init__(self, scratch: sqlite3.Connection, samples: int) -> None:
        """Start empty in a temporary table of `scratch`."""
        self._scratch = scratch
        self._samples = samples
        scratch.execute("DROP TABLE IF EXISTS temp.numbered")
        scratch.execute(
            "CREATE TEMP TABLE numbered (source TEXT, sample INTEGER, key TEXT, id TEXT, "
            "rank INTEGER, PRIMARY KEY (source, sample, key)) WITHOUT ROWID"
        )

    def fill(self, checkpoint: sqlite3.Connection, *, errors_too: bool = True) -> None:
        """Note where they stand in a checkpoint; what is set aside yields to what is not.

        So does an error to a result: where two checkpoints were brought together, a row may have
        the one in its place and the other set aside.
        """
        which = "" if errors_too else "AND error_class IS NULL"
        for rank, table in enumerate(("shelved", "outcomes")):
            self._scratch.executemany(
                "INSERT OR REPLACE INTO temp.numbered VALUES (?, ?, ?, ?, ?)",
                checkpoint.execute(
                    f"SELECT source, sample, key, id, {rank} + 2 * (error_class IS NULL) "
                    f"FROM {table} "
                    f"WHERE key IS NOT NULL AND id = CAST(row / ? AS TEXT) {which}",
                    (self._samples,),
                ),
            )

    def fill_pending(self, checkpoint: sqlite3.Connection) -> None:
        """Note where rows stood that were called and have no outcome; others are noted before."""
        self._scratch.executemany(
            "INSERT OR IGNORE INTO temp.numbered VALUES (?, ?, ?, ?, -1)",
            checkpoint.execute("SELECT source, sample, key, id FROM pending"),
        )

    def earlier(self, request: Request) -> tuple[str, str] | None:
        """Return the id and the key that the row of `request` had under another number, if any."""
        if request.id != str(request.row // self._samples):
            return None
        for id_, key in self._scratch.execute(
            "SELECT id, key FROM temp.numbered WHERE (source, sample) = (?, ?) ORDER BY rank DESC",
            (str(request.source), request.sample),
        ).fetchall():
            if key_under(request, id_) == key:
                return None if id_ == request.id else (str(id_), str(key))
        return None


class Renumbering:
    """The rows of the present input that had another number, with what is known of them."""

    def __init__(self, connection: sqlite3.Connection, path: Path, samples: int) -> None:
        """Start empty, in the transaction of a checkpoint's `connection`."""
        self._connection = connection
        self._path = path
        self._numbered = Numbered(connection, samples)
        self._numbered.fill(connection)
        self._numbered.fill_pending(connection)
        for table in ("moved", "renumbered"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute(
            "CREATE TEMP TABLE moved (was TEXT PRIMARY KEY, was_id TEXT, sample INTEGER, "
            "key TEXT, id TEXT) WITHOUT ROWID"
        )
        connection.execute(
            f"CREATE TEMP TABLE renumbered AS SELECT {schema.COLUMNS} FROM outcomes LIMIT 0"
        )

    def note(self, request: Request) -> None:
        """Take down the row of `request`, if it had another number."""
        earlier = self._numbered.earlier(request)
        if earlier is not None:
            was_id, was = earlier
            self._connection.execute(
                "INSERT INTO temp.moved VALUES (?, ?, ?, ?, ?)",
                (was, was_id, request.sample, request.key, request.id),
            )

    def apply(self) -> None:
        """Give the outcomes of those rows their present ids and keys, and set them aside.

        They are taken out first, all of them: of two rows that ask the same, one may now have the
        key that the other had.
        """
        execute = self._connection.execute
        self._connection.executemany(f"INSERT INTO temp.renumbered {schema.VALUES}", self._taken())
        execute(
            "UPDATE failed_attempts SET key = "
            "(SELECT m.key FROM temp.moved m WHERE m.was = failed_attempts.key) "
            "WHERE key IN (SELECT was FROM temp.moved)"
        )
        if is_merged(self._connection, "main"):
            move_shares(self._connection)
        move_pending(self._connection)
        for row in execute(f"SELECT {schema.COLUMNS} FROM temp.renumbered"):
            self._shelve(row)

    def _taken(self) -> Iterator[tuple[object, ...]]:
        """Take the outcomes of those rows out, and yield them as they are to be."""
        for was, was_id, sample, key, id_ in self._connection.execute("SELECT * FROM temp.moved"):
            found = self._take("outcomes", "(id, sample, key) = (?, ?, ?)", was_id, sample, was)
            if found is None:
                found = self._take("shelved", "key = ?", was)
            if found is None and self._is_pending(was):
                continue
            if found is None:
                raise damaged(self._path, f"it has lost the outcome of the key {was}")
            yield sealed(recalled(self._path, found)._replace(id=id_, key=key))

    def _is_pending(self, key: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM pending WHERE key = ?", (key,))
        return found.fetchone() is not None

    def _take(self, table: str, which: str, *values: object) -> tuple[object, ...] | None:
        found: tuple[object, ...] | None = self._connection.execute(
            f"SELECT {schema.COLUMNS} FROM {table} WHERE {which}", values
        ).fetchone()
        self._connection.execute(f"DELETE FROM {table} WHERE {which}", values)
        return found

    def _shelve(self, row: tuple[object, ...]) -> None:
        """Set an outcome aside; others of its key, which are of no row any more, leave their sums.

        A key has one outcome, and all of them answer the same question.
        """
        of = Recorded._make(row[:-1])
        for before in (
            self._take("outcomes", "(id, sample, key) = (?, ?, ?)", of.id, of.sample, of.key),
            self._take("shelved", "key = ?", of.key),
        ):
            row = row if before is None else carried(row, before)
        self._connection.execute(f"INSERT INTO shelved {schema.VALUES}", row)
