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

from batcher.checkpoint import schema
from batcher.checkpoint.checksum import checksum
from batcher.checkpoint.connection import connected, damaged, transaction, translated
from batcher.checkpoint.encoding import decoded_invalid
from batcher.checkpoint.facts import remember
from batcher.checkpoint.mending import TOTALS
from batcher.checkpoint.reader import CheckpointReader, check
from batcher.checkpoint.recall import recalled
from batcher.checkpoint.rivals import Row, both_of, moved, one_of
from batcher.errors import OutputError, StorageError

# Of what is compared row by row, so much is in memory at a time.
_FETCHED = 1024
_CACHE_KIB = 64 * 1024
_KEY = schema.COLUMNS.split(", ").index("key")
_VALUES = f"({schema.COLUMNS}) VALUES ({', '.join('?' * len(schema.COLUMNS.split(', ')))})"
_BUILT = "SELECT name, sql FROM sqlite_schema WHERE type = ? AND sql IS NOT NULL"


class Merging:
    """A checkpoint in the making."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `begun`."""
        self.path = path
        self.connection = connection

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
                    connection.executescript(f"BEGIN; {schema.CREATE} COMMIT;")
                yield cls(draft, connection)
            _take_the_place(draft, path, patience_s)
        finally:
            draft.unlink(missing_ok=True)

    def add(self, sources: Sequence[Path]) -> None:
        """Take in all that checkpoints hold; what comes first of two outcomes counts as the first.

        Raises:
            StorageError: one is damaged, or none of this version.
        """
        with translated(self.path), self._unindexed():
            for source in sources:
                with translated(f"{source} or {self.path}"):
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
        for found in self.connection.execute(
            f"SELECT {schema.COLUMNS} FROM main.shelved WHERE key = ?", (row[_KEY],)
        ).fetchall():
            row = one_of(found, row).row
        self.connection.execute(f"INSERT OR REPLACE INTO main.shelved {_VALUES}", row)

    def put(self, row: Row) -> None:
        """Record an outcome in place of the one that its row has."""
        self.connection.execute(f"INSERT OR REPLACE INTO main.outcomes {_VALUES}", row)

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

    @contextlib.contextmanager
    def attached(self, source: Path) -> Iterator[None]:
        """See another checkpoint as `source`; after an exception nothing more is done here."""
        self.connection.execute("ATTACH ? AS source", (f"{source.absolute().as_uri()}?mode=rw",))
        yield
        self.connection.execute("DETACH source")

    def _add(self, source: Path) -> None:
        # All of it is of one moment.
        with self.attached(source), transaction(self.connection):
            self.examine(source)
            self._add_outcomes()
            self._add_aside()
            self._add_sums()
            self._add_invalid(source)
            self.add_history()

    def examine(self, source: Path) -> None:
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
        for *place, expected in self.connection.execute(
            "SELECT row, file, line, offset, checksum FROM source.marks"
        ):
            if checksum(place) != expected:
                raise damaged(source, f"the place of row {place[0]} is not what was written")

    def _add_outcomes(self) -> None:
        both = self.each("SELECT row FROM source.outcomes JOIN main.outcomes USING (row)")
        for (row,) in both:
            kept = one_of(self.outcome(row), self.outcome(row, "source"))
            self.put(kept.row)
            if kept.aside is not None:
                self.set_aside(kept.aside)
        self.connection.execute(
            f"INSERT INTO main.outcomes ({schema.COLUMNS}) SELECT {schema.COLUMNS} "
            "FROM source.outcomes WHERE true ON CONFLICT DO NOTHING"
        )

    def _add_aside(self) -> None:
        for row in self.connection.execute(f"SELECT {schema.COLUMNS} FROM source.shelved"):
            self.set_aside(row)

    def _add_sums(self) -> None:
        execute = self.connection.execute
        execute("INSERT OR IGNORE INTO main.marks SELECT * FROM source.marks")
        execute(
            "INSERT INTO main.unanswered SELECT * FROM source.unanswered WHERE true ON CONFLICT "
            "DO UPDATE SET calls = calls + excluded.calls, cost = cost + excluded.cost"
        )
        execute(
            "INSERT INTO main.histograms SELECT * FROM source.histograms WHERE true ON CONFLICT "
            "DO UPDATE SET figures = figures + excluded.figures"
        )

    def _add_invalid(self, source: Path) -> None:
        for row in self.connection.execute("SELECT * FROM source.invalid_answers"):
            if decoded_invalid(row) is None:
                raise damaged(source, f"an answer for the key {row[0]} is not what was written")
            self.put_invalid(row)

    def put_invalid(self, row: Row) -> None:
        """Add an answer of no use to what is known of its key."""
        for found in self.connection.execute(
            "SELECT * FROM main.invalid_answers WHERE key = ?", row[:1]
        ).fetchall():
            row = both_of(found, row)
        self.connection.execute(
            f"INSERT OR REPLACE INTO main.invalid_answers VALUES ({', '.join('?' * len(row))})",
            row,
        )

    def add_history(self, process: int = 0, attempt: int = 0) -> None:
        """Take in the processes of `source` after that `process`, and what failed in them.

        Of failed attempts, those that were written after the one with the number `attempt`.
        """
        self.connection.execute(
            "INSERT INTO main.failed_attempts SELECT * FROM source.failed_attempts "
            f"WHERE rowid > {attempt:d}"
        )
        (last,) = self.connection.execute(
            "SELECT coalesce(max(number), 0) FROM main.processes"
        ).fetchone()
        for table in ("processes", "history", "history_failures"):
            number, *rest = (
                name for _, name, *_ in self.connection.execute(f"PRAGMA main.table_info({table})")
            )
            self.connection.execute(
                f"INSERT INTO main.{table} SELECT {number} + {last - process:d}, "
                f"{', '.join(rest)} FROM source.{table} WHERE {number} > {process:d}"
            )

    def settle_aside(self) -> None:
        """Give what is set aside to the outcome of its key, where there is one."""
        for (number,) in self.each(
            "SELECT o.row FROM main.shelved s CROSS JOIN main.outcomes o INDEXED BY outcomes_id "
            "ON o.id = s.id AND o.sample = s.sample AND o.key = s.key AND o.key IS NOT NULL"
        ):
            mine = self.outcome(number)
            aside = self.connection.execute(
                f"SELECT {schema.COLUMNS} FROM main.shelved WHERE key = ?", (mine[_KEY],)
            ).fetchone()
            self.put(moved(one_of(mine, aside).row, mine))
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
        _sync(draft)
        draft.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
