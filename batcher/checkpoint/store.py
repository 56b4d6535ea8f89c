"""`checkpoint.db`: opened, written in short transactions, read while it is written.

WAL with `synchronous=FULL`: a commit that has returned survives a loss of power
(reliability.md promise 3), and readers in other processes never wait for the writer.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.placement import Placement
from batcher.checkpoint.rowset import RowSet
from batcher.errors import ErrorClass, OutputError, StorageError
from batcher.records import Counts, Mark, Outcome, Recorded, record

_INSERT = (
    f"INSERT OR REPLACE INTO outcomes ({schema.COLUMNS}) "
    f"VALUES ({', '.join('?' * len(Recorded._fields))})"
)


class Checkpoint:
    """The recorded outcomes of one run."""

    def __init__(self, path: Path, writer: sqlite3.Connection, reader: sqlite3.Connection) -> None:
        """Use `open` or `read`."""
        self.path = path
        self._writer = writer
        self._reader = reader

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Checkpoint]:
        """Open the checkpoint for writing, creating it where there is none.

        Raises:
            OutputError: it cannot be created.
            StorageError: it is damaged, or of another program or version.
        """
        try:
            # Created here, so that no moment exists in which others may read it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise OutputError(f"cannot create {path}: {error.strerror}") from None
        with _connected(path, "rw") as writer, _connected(path, "rw") as reader:
            with _translated(path):
                writer.execute("PRAGMA journal_mode = WAL")
                writer.execute("PRAGMA synchronous = FULL")
                # Without it, REPLACE would skip the trigger that takes the old row from totals.
                writer.execute("PRAGMA recursive_triggers = ON")
                _create_or_check(writer, path)
            yield cls(path, writer, reader)

    @classmethod
    @contextlib.contextmanager
    def read(cls, path: Path) -> Iterator[Checkpoint]:
        """Open an existing checkpoint for reading only, also while a run writes it.

        Raises:
            StorageError: there is none, or it is damaged, or of another program or version.
        """
        if not path.is_file():
            raise StorageError(f"no checkpoint at {path}: is this the directory of a run?")
        # Not mode=ro: reading a WAL that a crash left behind needs its shared-memory file.
        with _connected(path, "rw") as connection:
            with _translated(path):
                connection.execute("PRAGMA query_only = ON")
                _check(connection, path)
            yield cls(path, connection, connection)

    def commit(self, outcomes: Sequence[Outcome], marks: Sequence[Mark] = ()) -> None:
        """Record `outcomes` and `marks` in one transaction; on return they are on the disk.

        Raises:
            StorageError: they are not; the run must end (promise 5).
        """
        with _translated(self.path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                self._writer.executemany(_INSERT, map(_storable, outcomes))
                self._writer.executemany(
                    "INSERT INTO failed_attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    _failed_attempts(outcomes),
                )
                self._writer.executemany(
                    "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
                    [(mark.row, mark.file, mark.line, mark.offset) for mark in marks],
                )
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def done(self, *, errors_too: bool = True) -> RowSet:
        """Return the rows that have an outcome; without errors, those that succeeded."""
        which = "" if errors_too else "WHERE error_class IS NULL"
        with _translated(self.path):
            rows = self._reader.execute(
                f"SELECT row FROM outcomes INDEXED BY outcomes_class {which}"
            )
            return RowSet(row for (row,) in rows)

    def first_with_id(self, row_id: str) -> tuple[int, str] | None:
        """Return the lowest recorded row that has this id, with its file and line, or None."""
        with _translated(self.path):
            found: tuple[int, str] | None = self._reader.execute(
                "SELECT row, source FROM outcomes WHERE id = ? AND key IS NOT NULL "
                "ORDER BY row LIMIT 1",
                (row_id,),
            ).fetchone()
        return found

    def outcomes(self) -> Iterator[Recorded]:
        """Yield every recorded outcome in row order, as of the moment of the first one."""
        with _translated(self.path), _connected(self.path, "rw") as connection:
            cursor = connection.execute(f"SELECT {schema.COLUMNS} FROM outcomes ORDER BY row")
            yield from map(Recorded._make, cursor)

    def counts(self) -> Counts:
        """Return the sums over all recorded rows."""
        with _translated(self.path):
            sums = self._reader.execute(
                "SELECT total(rows) FILTER (WHERE error_class = ''), "
                "total(rows) FILTER (WHERE finish_reason = 'length'), "
                f"{', '.join(f'total({name})' for name in schema.SUMMED)} FROM totals"
            ).fetchone()
            errors = self._reader.execute(
                "SELECT error_class, sum(rows) FROM totals "
                "WHERE error_class <> '' AND rows > 0 GROUP BY error_class"
            ).fetchall()
        results, truncated, *summed = map(int, sums)
        return Counts(
            results,
            truncated,
            {ErrorClass(name): rows for name, rows in errors},
            **dict(zip(schema.SUMMED, summed, strict=True)),
        )

    def mark_before(self, row: int) -> Mark | None:
        """Return the last mark at or before `row`, or None."""
        with _translated(self.path):
            found = self._reader.execute(
                "SELECT row, file, line, offset FROM marks WHERE row <= ? "
                "ORDER BY row DESC LIMIT 1",
                (row,),
            ).fetchone()
        return found and Mark(*found)

    def fact(self, name: str) -> object:
        """Return the remembered fact `name`, or None."""
        with _translated(self.path):
            found = self._reader.execute(
                "SELECT value FROM facts WHERE name = ?", (name,)
            ).fetchone()
        return found and json.loads(found[0])

    def remember(self, **facts: object) -> None:
        """Remember JSON-like facts about the run, all in one transaction."""
        rows = [(name, json.dumps(value, sort_keys=True)) for name, value in facts.items()]
        with _translated(self.path):
            self._writer.execute("BEGIN IMMEDIATE")
            self._writer.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)
            self._writer.execute("COMMIT")

    @contextlib.contextmanager
    def placement(self) -> Iterator[Placement]:
        """Yield an empty placement of a changed input beside the recorded outcomes."""
        with _translated(self.path):
            yield Placement(self._writer)


def _storable(outcome: Outcome) -> Recorded:
    """Flatten an outcome; text that is not valid Unicode is escaped, never lost."""
    flat = record(outcome)
    try:
        for value in flat:
            if isinstance(value, str):
                value.encode()
    except UnicodeEncodeError:
        return Recorded._make(
            value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
            for value in flat
        )
    return flat


def _failed_attempts(outcomes: Iterable[Outcome]) -> Iterator[tuple[object, ...]]:
    for outcome in outcomes:
        for attempt in outcome.attempts:
            if attempt.problem is not None:
                yield (
                    outcome.row,
                    attempt.number,
                    attempt.request_id,
                    round(attempt.started_at * 1_000_000),
                    attempt.latency,
                    attempt.problem.error_class.value,
                    attempt.problem.code,
                    attempt.problem.http_status,
                )


@contextlib.contextmanager
def _connected(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    with _translated(path):
        # The writer's thread changes from commit to commit, but never two at once.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=30,
            check_same_thread=False,
        )
    with contextlib.closing(connection):
        yield connection


def _create_or_check(connection: sqlite3.Connection, path: Path) -> None:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {schema.CREATE} COMMIT;")
    else:
        _check(connection, path)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.APPLICATION_ID:
        raise StorageError(f"{path} is no checkpoint of batcher; name another directory with -o")
    if version != schema.VERSION:
        raise StorageError(
            f"{path} has schema version {version}, this batcher reads {schema.VERSION}; "
            "go on with the version that made it, or start in another directory with -o"
        )


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """The one seam where SQLite's errors become ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"the checkpoint {path} failed: {error}. Everything recorded before is safe; free "
            "space or repair the disk, then run the same command again"
        ) from error
