"""Which of the recorded errors a user means: those of some classes, and of a condition in SQL.

The condition sees one table, `errors`, with the columns of errors.parquet that are recorded. SQLite
itself asks what each statement would touch (its authorizer), so that a condition can read that
table and nothing else, and change nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.connection import connected, damaged, translated
from batcher.checkpoint.encoding import decoded
from batcher.checkpoint.rowset import RowSet
from batcher.errors import ErrorClass, UsageError
from batcher.recorded import Recorded

_SAME = (
    *("id", "sample", "error_class", "code", "http_status", "message", "response"),
    *("currency", "attempts", "ambiguous_attempts", "repairs", "answered_by"),
    *("request_id", "source", "key"),
)
_VIEW = {
    "row": "row",
    **{name: name for name in _SAME},
    "cost": "cost / 1e9",
    # As SQLite's datetime() writes them, so that the two can be compared.
    "failed_at": "strftime('%Y-%m-%d %H:%M:%f', finished_at / 1e6, 'unixepoch')",
}
# The number of the record, which is the row where each has but one.
_RECORD = "record"
_FUNCTIONS = frozenset(
    {
        *("abs", "avg", "coalesce", "count", "glob", "group_concat", "hex", "ifnull", "iif"),
        *("instr", "length", "like", "likely", "lower", "ltrim", "max", "min", "nullif"),
        *("replace", "round", "rtrim", "sign", "substr", "substring", "sum", "total", "trim"),
        *("typeof", "unicode", "unlikely", "upper"),
        *("date", "datetime", "julianday", "strftime", "time", "unixepoch"),
        *("->", "->>", "json_array_length", "json_extract", "json_type", "json_valid"),
    }
)
# SQLite's codes for what is wrong with a statement, not with the database.
_MISTAKES = frozenset(
    {
        *(sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_MISMATCH),
        *(sqlite3.SQLITE_RANGE, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISUSE),
    }
)
# Steps of SQLite's machine between two looks at whether to go on: some milliseconds.
_STEPS = 100_000
_ROWS = 1024


@dataclass(frozen=True, slots=True)
class ErrorChoice:
    """Errors of these `classes` (any, without one) for which the SQL condition `where` holds."""

    classes: frozenset[ErrorClass] = frozenset()
    where: str | None = None


@dataclass(slots=True)
class Chosen:
    """The error rows that a choice means, counted by their class.

    Those of `bad` never became a request: they are read again, which takes no call unless they are
    one now. So many `duplicates` are none of `rows`: the input is what it was, so that their id
    stays with the row that has it, be that one still pending.
    """

    rows: RowSet = field(default_factory=RowSet)
    called: Counter[ErrorClass] = field(default_factory=Counter)
    bad: Counter[ErrorClass] = field(default_factory=Counter)
    duplicates: int = 0

    def add(self, outcome: Recorded, error_class: ErrorClass) -> None:
        """Add the row of an error."""
        if error_class is ErrorClass.DUPLICATE_ID:
            self.duplicates += 1
            return
        counter = self.bad if outcome.key is None else self.called
        counter[error_class] += 1
        self.rows.add(outcome.row)


def choose(path: Path, choice: ErrorChoice, samples: int = 1) -> Chosen:
    """Return the recorded errors in the checkpoint at `path` that `choice` means.

    With several `samples` a row, the condition's `row` is that of the input.

    Any exception that comes to the caller's thread, as by Ctrl-C, ends a condition that takes
    long.

    Raises:
        UsageError: the condition is no SQL, or touches anything but the table `errors`.
        StorageError: the checkpoint is damaged.
    """
    over = threading.Event()
    with ThreadPoolExecutor(1, "condition") as thread:
        try:
            return thread.submit(_choose, path, choice, samples, over).result()
        finally:
            over.set()


def _choose(path: Path, choice: ErrorChoice, samples: int, over: threading.Event) -> Chosen:
    chosen = Chosen()
    with connected(path) as connection, connected(path) as reader, translated(path):
        _show_errors_only(connection, samples)
        # Without an exception of its own, since it is called by SQLite.
        connection.set_progress_handler(over.is_set, _STEPS)
        for row in _meant(connection, choice):
            # There is none any more where a run has answered the row meanwhile.
            for found in reader.execute(
                f"SELECT {schema.COLUMNS} FROM outcomes WHERE row = ? AND error_class IS NOT NULL",
                (row,),
            ):
                outcome = decoded(found)
                if outcome is None or outcome.error_class is None:
                    raise damaged(path, f"the outcome of row {row} is not what was written")
                error_class = ErrorClass(outcome.error_class)
                # Whatever parentheses the condition closes: of these classes only.
                if not choice.classes or error_class in choice.classes:
                    chosen.add(outcome, error_class)
    return chosen


def _show_errors_only(connection: sqlite3.Connection, samples: int) -> None:
    """Let later statements of `connection` see the table `errors`, and change nothing."""
    shown = {**_VIEW, "row": f"row / {samples}", _RECORD: "row"}
    columns = ", ".join(f"{value} AS {name}" for name, value in shown.items())
    connection.execute(
        f"CREATE TEMP VIEW errors AS SELECT {columns} FROM main.outcomes "
        "WHERE error_class IS NOT NULL"
    )
    connection.execute("PRAGMA query_only = ON")

    def allow(
        action: int, name: str | None, other: str | None, _database: str | None, via: str | None
    ) -> int:
        match action:
            case sqlite3.SQLITE_SELECT:
                allowed = True
            case sqlite3.SQLITE_READ:
                # Of the table below, only what the view itself reads.
                allowed = name == "errors" or (name == "outcomes" and via == "errors")
            case sqlite3.SQLITE_FUNCTION:
                allowed = str(other).lower() in _FUNCTIONS
            case _:
                allowed = False
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    connection.set_authorizer(allow)


def _meant(connection: sqlite3.Connection, choice: ErrorChoice) -> Iterator[int]:
    """Yield the records of the table `errors` that are meant, in no order."""
    conditions = [] if choice.where is None else [f"(\n{choice.where}\n)"]
    if choice.classes:
        conditions.append(f"error_class IN ({', '.join('?' * len(choice.classes))})")
    sql = f"SELECT {_RECORD} FROM errors WHERE {' AND '.join(conditions) or 'true'}"
    try:
        found = connection.execute(sql, sorted(choice.classes))
        while rows := found.fetchmany(_ROWS):
            yield from (row for (row,) in rows)
    # Of several statements Python 3.11 gives a Warning; of text that is no Unicode, a ValueError.
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if choice.where is None or code not in _MISTAKES:
            raise
        raise UsageError(
            f"--where {choice.where!r}: {error}. It is an SQL condition over the columns "
            f'{", ".join(_VIEW)}; such as "http_status >= 500 AND attempts < 8"'
        ) from error
