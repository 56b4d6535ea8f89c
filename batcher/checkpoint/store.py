"""`checkpoint.db`: opened, written in short transactions, read while it is written.

WAL with `synchronous=FULL`: a commit that has returned survives a loss of power
(reliability.md promise 3), and readers in other processes never wait for the writer.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.connection import connected, transaction, translated
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
        with connected(path) as writer, connected(path) as reader:
            with translated(path):
                writer.execute("PRAGMA synchronous = FULL")
                # Without it, REPLACE would skip the trigger that takes the old row from totals.
                writer.execute("PRAGMA recursive_triggers = ON")
                # First of all, so that the database of another program is left as it is.
                _create_or_check(writer, path)
                _write_ahead(writer, path)
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
        with connected(path) as connection:
            with translated(path):
                connection.execute("PRAGMA query_only = ON")
                _check(connection, path)
            yield cls(path, connection, connection)

    def commit(self, outcomes: Sequence[Outcome], marks: Sequence[Mark] = ()) -> None:
        """Record `outcomes` and `marks` in one transaction; on return they are on the disk.

        Raises:
            StorageError: they are not; the run must end (promise 5).
        """
        with translated(self.path), transaction(self._writer):
            self._writer.executemany(_INSERT, map(_storable, outcomes))
            self._writer.executemany(
                "INSERT INTO failed_attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                _failed_attempts(outcomes),
            )
            self._writer.executemany(
                "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
                [(mark.row, mark.file, mark.line, mark.offset) for mark in marks],
            )

    def done(self, *, errors_too: bool = True) -> RowSet:
        """Return the rows that have an outcome; without errors, those that succeeded."""
        which = "" if errors_too else "WHERE error_class IS NULL"
        with translated(self.path):
            rows = self._reader.execute(
                f"SELECT row FROM outcomes INDEXED BY outcomes_class {which}"
            )
            return RowSet(row for (row,) in rows)

    def first_with_id(self, row_id: str) -> tuple[int, str] | None:
        """Return the lowest recorded row that has this id, with its file and line, or None."""
        with translated(self.path):
            found: tuple[int, str] | None = self._reader.execute(
                "SELECT row, source FROM outcomes WHERE id = ? AND key IS NOT NULL "
                "ORDER BY row LIMIT 1",
                (row_id,),
            ).fetchone()
        return found

    def outcomes(self) -> Iterator[Recorded]:
        """Yield every recorded outcome in row order, as of the moment of the first one."""
        with translated(self.path), connected(self.path) as connection:
            cursor = connection.execute(f"SELECT {schema.COLUMNS} FROM outcomes ORDER BY row")
            yield from map(Recorded._make, cursor)

    def counts(self) -> Counts:
        """Return the sums over all recorded rows, all of one moment."""
        with translated(self.path):
            totals = self._reader.execute(
                f"SELECT error_class, finish_reason, rows, {', '.join(schema.SUMMED)} "
                "FROM totals WHERE rows > 0"
            ).fetchall()
        errors = Counter[ErrorClass]()
        for error_class, _, rows, *_ in totals:
            if error_class:
                errors[ErrorClass(error_class)] += rows
        return Counts(
            results=sum(rows for error_class, _, rows, *_ in totals if not error_class),
            truncated=sum(rows for _, reason, rows, *_ in totals if reason == "length"),
            errors=errors,
            **{
                name: sum(total[index] for total in totals)
                for index, name in enumerate(schema.SUMMED, start=3)
            },
        )

    def mark_before(self, row: int) -> Mark | None:
        """Return the last mark at or before `row`, or None."""
        with translated(self.path):
            found = self._reader.execute(
                "SELECT row, file, line, offset FROM marks WHERE row <= ? "
                "ORDER BY row DESC LIMIT 1",
                (row,),
            ).fetchone()
        return found and Mark(*found)

    def fact(self, name: str) -> object:
        """Return the remembered fact `name`, or None."""
        with translated(self.path):
            found = self._reader.execute(
                "SELECT value FROM facts WHERE name = ?", (name,)
            ).fetchone()
        return found and json.loads(found[0])

    def remember(self, **facts: object) -> None:
        """Remember JSON-like facts about the run, all in one transaction."""
        rows = [(name, json.dumps(value, sort_keys=True)) for name, value in facts.items()]
        with translated(self.path), transaction(self._writer):
            self._writer.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    @contextlib.contextmanager
    def placement(self) -> Iterator[Placement]:
        """Yield an empty placement of a changed input beside the recorded outcomes.

        What it applies is committed at the end of the `with` block, or undone by an exception;
        nothing else can be written meanwhile.
        """
        with translated(self.path), transaction(self._writer):
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
                    outcome.key,
                    attempt.number,
                    attempt.request_id,
                    round(attempt.started_at * 1_000_000),
                    attempt.latency,
                    attempt.problem.error_class.value,
                    attempt.problem.code,
                    attempt.problem.http_status,
                )


def _write_ahead(connection: sqlite3.Connection, path: Path) -> None:
    # SQLite does not complain where it cannot; it stays in another mode.
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StorageError(
            f"{path} cannot be read while it is written there (journal mode {mode}); "
            "name a directory on a local disk with -o"
        )


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
