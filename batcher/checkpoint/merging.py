"""A new checkpoint, made of others that speak of the same input and job.

Their rows are copied within SQLite, so that memory stays flat; only where two of them speak of one
row are outcomes compared (`rivals`). Others are only read, each in one moment of its run. The file
gets its name when all is in it: a merge that was killed, or failed, leaves nothing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from batcher.checkpoint import descent, schema, shares
from batcher.checkpoint.connection import connected, damaged, transaction, translated
from batcher.checkpoint.facts import remember
from batcher.checkpoint.mending import TOTALS
from batcher.checkpoint.reader import CheckpointReader, check
from batcher.checkpoint.recall import recalled, recalled_invalid, recalled_mark
from batcher.checkpoint.rivals import Row, moved, one_of
from batcher.checkpoint.shares import Shares
from batcher.errors import OutputError, StorageError
from batcher.filesystem import synced

# Of what is compared row by row, so much is in memory at a time.
_FETCHED = 1024
_CACHE_KIB = 64 * 1024
_KEY = schema.COLUMNS.split(", ").index("key")
_CREATE = f"BEGIN; {schema.CREATE} {shares.CREATE} {'; '.join(descent.TABLES)}; COMMIT;"
_CALL = "key, finished_at, request_id"
_BUILT = "SELECT name, sql FROM sqlite_schema WHERE type = ? AND sql IS NOT NULL"


class OfRun(NamedTuple):
    """The checkpoint of a run; `run` is its name, wherever it lies."""

    run: str
    path: Path


class Merging:
    """A checkpoint in the making."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `begun`."""
        self.path = path
        self.connection = connection
        self.shares = Shares(connection)

    @classmethod
    @contextlib.contextmanager
    def begun(cls, path: Path, patience_s: float = 30.0) -> Iterator[Merging]:
        """Begin a checkpoint that is at `path` when the `with` block ends; one there is replaced.

        Those who read that one are waited for at most `patience_s` seconds.

        Raises:
            OutputError: it cannot be created.
            StorageError: it cannot be written, or the one that is there is in use.
        """
        draft = path.with_name(f"{path.name}.merging")
        try:
            draft.unlink(missing_ok=True)
            os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise OutputError(f"cannot create {draft}: {error.strerror}") from None
        try:
            with connected(draft) as connection:
                with translated(draft):
                    # Nobody reads it before it is whole; then it is synced, once.
                    connection.execute("PRAGMA journal_mode = OFF")
                    connection.execute("PRAGMA synchronous = OFF")
                    connection.execute("PRAGMA recursive_triggers = ON")
                    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                    connection.executescript(_CREATE)
                yield cls(draft, connection)
            _take_the_place(draft, path, patience_s)
        finally:
            draft.unlink(missing_ok=True)

    def add(self, sources: Sequence[OfRun]) -> None:
        """Take in all that checkpoints hold; what comes first of two outcomes counts as the first.

        One that was merged of others is known to have what it has of them from them.

        Raises:
            StorageError: one is damaged, or none of this version.
        """
        with translated(self.path), self._unindexed():
            for source in sources:
                with translated(f"{source.path} or {self.path}"):
                    self._add(source)

    def remember(self, **facts: object) -> None:
        """Remember JSON-like facts about the run."""
        with translated(self.path):
            remember(self.connection, facts)

    def reader(self) -> CheckpointReader:
        """Return what reads what is merged so far."""
        return CheckpointReader(self.path, self.connection)

    def set_aside(self, row: Row) -> None:
        """Keep an outcome that was paid by its key, without a row."""
        before = self.aside(row[_KEY])
        self.put_aside(row if before is None else one_of(before, row).row)

    def aside(self, key: object) -> Row | None:
        """Return the outcome of a key that is set aside, if there is one."""
        found: Row | None = self.connection.execute(
            f"SELECT {schema.COLUMNS} FROM main.shelved WHERE key = ?", (key,)
        ).fetchone()
        return found

    def put_aside(self, row: Row) -> None:
        """Set an outcome aside in place of another one of its key."""
        self.connection.execute(f"INSERT OR REPLACE INTO main.shelved {schema.VALUES}", row)

    def put(self, row: Row) -> None:
        """Record an outcome in place of the one that its row has."""
        self.connection.execute(f"INSERT OR REPLACE INTO main.outcomes {schema.VALUES}", row)

    def each(self, query: str) -> Iterator[tuple[int, ...]]:
        """Yield the numbers that a query finds, as of now, while what it found them in changes."""
        execute = self.connection.execute
        execute("DROP TABLE IF EXISTS temp.found")
        execute(f"CREATE TEMP TABLE found AS {query}")
        after = 0
        while found := execute(
            f"SELECT rowid, * FROM temp.found WHERE rowid > {after:d} LIMIT {_FETCHED}"
        ).fetchall():
            after = found[-1][0]
            for _, *numbers in found:
                yield tuple(numbers)

    def outcome(self, row: int, of: str = "main") -> Row:
        """Return the outcome of a row that has one."""
        found: Row = self.connection.execute(
            f"SELECT {schema.COLUMNS} FROM {of}.outcomes WHERE row = ?", (row,)
        ).fetchone()
        return found

    @contextlib.contextmanager
    def _unindexed(self) -> Iterator[None]:
        """Build the indexes and sums of outcomes after the block: together, in half the time."""
        built = []
        for kind in ("trigger", "index"):
            found = self.connection.execute(_BUILT, (kind,)).fetchall()
            for name, _ in found:
                self.connection.execute(f"DROP {kind} {name}")
            built += [sql for _, sql in found]
        yield
        with transaction(self.connection):
            self.connection.execute(f"INSERT INTO main.totals {TOTALS}")
            for sql in built:
                self.connection.execute(sql)

    def _add(self, source: OfRun) -> None:
        execute = self.connection.execute
        execute("ATTACH ? AS source", (f"{source.path.absolute().as_uri()}?mode=rw",))
        # All of it is of one moment.
        with transaction(self.connection):
            self._examine(source.path)
            self._add_outcomes()
            for row in execute(f"SELECT {schema.COLUMNS} FROM source.shelved"):
                self.set_aside(row)
            for table in ("marks", *schema.PENDING):
                execute(f"INSERT OR IGNORE INTO main.{table} SELECT * FROM source.{table}")
            descent.add_history(self.connection, self.shares.add(source.run))
        execute("DETACH source")

    def _examine(self, source: Path) -> None:
        """Make sure that every record of `source` is what was written, before any is copied.

        Raises:
            StorageError: one is not.
        """
        rows = numbers = 0
        for row in self.connection.execute(f"SELECT {schema.COLUMNS} FROM source.outcomes"):
            rows, numbers = rows + 1, numbers + recalled(source, row).row
        counted = self.connection.execute(
            "SELECT coalesce(sum(rows), 0), coalesce(sum(row_numbers), 0) FROM source.totals"
        ).fetchone()
        if counted != (rows, numbers):
            raise damaged(source, f"it counts {counted[0]:,} rows and holds {rows:,}")
        for row in self.connection.execute(f"SELECT {schema.COLUMNS} FROM source.shelved"):
            recalled(source, row)
        for row in self.connection.execute("SELECT * FROM source.invalid_answers"):
            recalled_invalid(source, row)
        for row in self.connection.execute(f"SELECT {schema.MARK} FROM source.marks"):
            recalled_mark(source, row)

    def _add_outcomes(self) -> None:
        self.shares.touch_rivals()
        both = self.each(
            "SELECT row FROM source.outcomes s JOIN main.outcomes m USING (row) WHERE "
            f"({schema.columns_of('s', _CALL)}) IS NOT ({schema.columns_of('m', _CALL)})"
        )
        for (row,) in both:
            kept = one_of(self.outcome(row), self.outcome(row, "source"))
            self.put(kept.row)
            if kept.aside is not None:
                self.set_aside(kept.aside)
        self.connection.execute(
            f"INSERT INTO main.outcomes ({schema.COLUMNS}) SELECT {schema.COLUMNS} "
            "FROM source.outcomes WHERE true ON CONFLICT DO NOTHING"
        )

    def put_invalid(self, row: Row) -> None:
        """Keep an answer of no use in place of the one of its key."""
        self.connection.execute(
            f"INSERT OR REPLACE INTO main.invalid_answers {schema.INVALID_VALUES}", row
        )

    def settle_aside(self) -> None:
        """Give what is set aside to the outcome of its key, where there is one."""
        for (number,) in self.each(
            "SELECT o.row FROM main.shelved s CROSS JOIN main.outcomes o INDEXED BY outcomes_id "
            "ON o.id = s.id AND o.sample = s.sample AND o.key = s.key AND o.key IS NOT NULL"
        ):
            mine = self.outcome(number)
            aside = self.aside(mine[_KEY])
            self.put(mine if aside is None else moved(one_of(mine, aside).row, mine))
            self.shares.touch(mine[_KEY])
            self.connection.execute("DELETE FROM main.shelved WHERE key = ?", (mine[_KEY],))


def _take_the_place(draft: Path, path: Path, patience_s: float) -> None:
    """Bring a whole checkpoint to the disk, and give it its name.

    Raises:
        StorageError: the one of that name is in use, or the disk fails.
    """
    if path.exists():
        with connected(path) as connection, translated(path):
            connection.execute(f"PRAGMA busy_timeout = {round(patience_s * 1000)}")
            # What a process that was killed left half done is undone by this.
            check(connection, path)
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise StorageError(
                    f"{path} is being read; close what reads it, then merge once more"
                )
    try:
        # Of the one before: all that stood there is in its file now, and would mislead SQLite.
        for suffix in ("-wal", "-shm", "-journal"):
            path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
        synced(draft)
        draft.replace(path)
        synced(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
