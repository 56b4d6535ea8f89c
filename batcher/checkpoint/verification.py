"""Everything that can be wrong with a checkpoint, looked for and named."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.checksum import checksum
from batcher.checkpoint.connection import connected
from batcher.checkpoint.encoding import decoded, decoded_invalid
from batcher.checkpoint.mending import TOTALS
from batcher.checkpoint.reader import CheckpointReader

# As `render.request_key` makes them.
_KEY = re.compile("[0-9a-f]{32}")


def problems(path: Path) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong with the checkpoint at `path`.

    Reads all of it: the pages and indexes as SQLite checks them, each record against its checksum,
    the sums against the rows. Memory stays flat.

    Raises:
        StorageError: there is none, or it is of another program or version.
    """
    with CheckpointReader.read(path), connected(path) as connection:
        connection.execute("PRAGMA query_only = ON")
        for check in (_pages, _outcomes, _twice, _invalid, _places, _facts, _sums):
            try:
                yield from check(connection)
            except sqlite3.DatabaseError as error:
                yield f"it cannot be read to its end: {error}"
                return


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    for (said,) in connection.execute("PRAGMA integrity_check"):
        if said != "ok":
            yield f"SQLite finds: {said}"


def _outcomes(connection: sqlite3.Connection) -> Iterator[str]:
    for table in ("outcomes", "shelved"):
        for row in connection.execute(f"SELECT {schema.COLUMNS} FROM {table}"):
            outcome = decoded(row)
            if outcome is None:
                yield f"the outcome of row {row[0]} in `{table}` is not what was written"
            elif outcome.key is None:
                if outcome.error_class is None:
                    yield f"the result of row {outcome.row} has no key"
            elif not _KEY.fullmatch(outcome.key):
                yield f"the key of row {outcome.row} is no key: {outcome.key!r}"


def _twice(connection: sqlite3.Connection) -> Iterator[str]:
    # Less its sample, a record's number is the same for all samples of one row.
    for name, row in (("id", "row - sample"), ("key", "row")):
        for value, rows in connection.execute(
            f"SELECT {name}, group_concat(row, ', ') FROM outcomes WHERE key IS NOT NULL "
            f"GROUP BY {name} HAVING count(DISTINCT {row}) > 1"
        ):
            yield f"the {name} {value!r} is recorded for several rows: {rows}"


def _invalid(connection: sqlite3.Connection) -> Iterator[str]:
    for row in connection.execute("SELECT * FROM invalid_answers"):
        if decoded_invalid(row) is None:
            yield f"an answer to ask again for, of the key {row[0]!r}, is not what was written"


def _places(connection: sqlite3.Connection) -> Iterator[str]:
    for *place, expected in connection.execute(f"SELECT {schema.MARK} FROM marks"):
        if checksum(place) != expected:
            yield f"the place of row {place[0]} in the input is not what was written"


def _facts(connection: sqlite3.Connection) -> Iterator[str]:
    for *fact, expected in connection.execute("SELECT name, value, checksum FROM facts"):
        if checksum(fact) != expected:
            yield f"what it says of {fact[0]!r} is not what was written"


def _sums(connection: sqlite3.Connection) -> Iterator[str]:
    kept = connection.execute("SELECT * FROM totals WHERE rows <> 0 ORDER BY 1, 2, 3")
    if connection.execute(TOTALS).fetchall() != kept.fetchall():
        yield "its sums are not those of its rows"
