"""Which recorded outcomes still belong to an input or a job that has changed.

The keys of the present input are spooled into a temporary table of SQLite, which spills to disk,
so that an input of any size is compared in flat memory.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from batcher.checkpoint.connection import transaction
from batcher.checkpoint.encoding import carried
from batcher.checkpoint.renumbering import Renumbering
from batcher.checkpoint.schema import COLUMNS, VALUES, columns_of
from batcher.errors import StorageError
from batcher.recorded import Recorded
from batcher.records import Request


@dataclass(frozen=True, slots=True)
class Comparison:
    """The present input against the checkpoint, in rows.

    `kept` have their outcome already, `new` must be called, and `gone` outcomes belong to no
    row any more (they are set aside, not deleted).
    """

    kept: int
    new: int
    gone: int


class Placement:
    """The ids and keys of the present input, row by row."""

    def __init__(
        self, connection: sqlite3.Connection, renumbering: Renumbering | None = None
    ) -> None:
        """Start an empty placement in a temporary table of `connection`, in a transaction.

        With a `renumbering`, rows that have only their number for an id keep their outcomes under
        another number.
        """
        self._connection = connection
        self._renumbering = renumbering
        connection.execute("DROP TABLE IF EXISTS temp.placed")
        connection.execute(
            "CREATE TEMP TABLE placed "
            "(row INTEGER PRIMARY KEY, id TEXT, sample INTEGER, key TEXT, source TEXT, "
            "UNIQUE (id, sample))"
        )

    @staticmethod
    @contextlib.contextmanager
    def alone() -> Iterator[Placement]:
        """Yield a placement beside no checkpoint, for finding duplicate ids only.

        Raises:
            StorageError: the ids do not fit on the disk.
        """
        # An empty name is SQLite's own for a temporary database on disk.
        with contextlib.closing(sqlite3.connect("", isolation_level=None)) as connection:
            try:
                with transaction(connection):
                    yield Placement(connection)
            except sqlite3.Error as error:
                raise StorageError(
                    f"the temporary database of ids failed: {error}; free space where temporary "
                    "files are kept, or name another place by the variable TMPDIR"
                ) from error

    def place(self, request: Request) -> str | None:
        """Note a row's id and key; return where the earlier row of the same id stands, if any.

        The samples of one row share their id.
        """
        added = self._connection.execute(
            "INSERT OR IGNORE INTO temp.placed VALUES (?, ?, ?, ?, ?)",
            (request.row, request.id, request.sample, request.key, str(request.source)),
        )
        if added.rowcount:
            if self._renumbering is not None:
                self._renumbering.note(request)
            return None
        (source,) = self._connection.execute(
            "SELECT source FROM temp.placed WHERE (id, sample) = (?, ?)",
            (request.id, request.sample),
        ).fetchone()
        return str(source)

    def asks_again(self, content: str) -> bool:
        """Note what a row asks, by its hash; return whether a row before asks the same."""
        self._connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS asked (content TEXT PRIMARY KEY) WITHOUT ROWID"
        )
        added = self._connection.execute("INSERT OR IGNORE INTO temp.asked VALUES (?)", (content,))
        return added.rowcount == 0

    def renumber(self) -> None:
        """Let outcomes follow their rows to other numbers, once all rows are placed.

        Raises:
            StorageError: an outcome is lost.
        """
        if self._renumbering is not None:
            self._renumbering.apply()

    def compare(self) -> Comparison:
        """Count what the placed rows find in the checkpoint."""
        execute = self._connection.execute
        (placed,) = execute("SELECT count(*) FROM temp.placed").fetchone()
        (kept,) = execute(
            f"SELECT count(*) FROM temp.placed p WHERE {_RECORDED} OR {_SHELVED}"
        ).fetchone()
        (gone,) = execute(
            "SELECT count(*) FROM outcomes o WHERE key IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM temp.placed p "
            "WHERE p.id = o.id AND p.sample = o.sample AND p.key = o.key)"
        ).fetchone()
        return Comparison(kept=kept, new=placed - kept, gone=gone)

    def apply(self) -> None:
        """Give each placed row the outcome of its key; set aside the outcomes of no row.

        Outcomes without a key are dropped: their rows are read again, which costs no call. So are
        the marks, since they describe the input that was.
        """
        execute = self._connection.execute
        rest = COLUMNS.removeprefix("row, ")
        execute(
            f"INSERT OR REPLACE INTO shelved ({COLUMNS}) SELECT {COLUMNS} FROM outcomes o "
            f"WHERE key IS NOT NULL AND NOT {_IN_PLACE}"
        )
        execute(f"DELETE FROM outcomes AS o WHERE NOT {_IN_PLACE}")
        execute(
            f"INSERT INTO outcomes ({COLUMNS}) SELECT p.row, {columns_of('s', rest)} "
            "FROM shelved s JOIN temp.placed p ON p.key = s.key "
            "WHERE p.row NOT IN (SELECT row FROM outcomes)"
        )
        execute("DELETE FROM shelved WHERE key IN (SELECT key FROM outcomes)")
        execute(
            "UPDATE outcomes SET source = p.source FROM temp.placed p "
            "WHERE p.row = outcomes.row AND p.source IS NOT outcomes.source"
        )
        execute("DELETE FROM marks")


def take_back(connection: sqlite3.Connection, request: Request) -> None:
    """Let what is set aside under the key of a request be the outcome of its row, as it was.

    What an error took that the row has by now is added to it.
    """
    aside = connection.execute(
        f"SELECT {COLUMNS} FROM main.shelved WHERE key = ?", (request.key,)
    ).fetchone()
    if aside is None:
        return
    outcome = Recorded._make(aside[:-1])
    row = (*outcome._replace(row=request.row, source=str(request.source)), aside[-1])
    held = connection.execute(
        f"SELECT {COLUMNS} FROM main.outcomes WHERE row = ?", (request.row,)
    ).fetchone()
    connection.execute(
        f"INSERT OR REPLACE INTO main.outcomes {VALUES}",
        row if held is None else carried(row, held),
    )
    connection.execute("DELETE FROM main.shelved WHERE key = ?", (request.key,))


_RECORDED = (
    "EXISTS (SELECT 1 FROM outcomes o WHERE o.id = p.id AND o.sample = p.sample AND o.key = p.key)"
)
_SHELVED = "EXISTS (SELECT 1 FROM shelved s WHERE s.key = p.key)"
_IN_PLACE = "EXISTS (SELECT 1 FROM temp.placed p WHERE p.row = o.row AND p.key = o.key)"
