"""Errors chosen by class and by a condition in SQL that can touch nothing else."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint
from batcher.checkpoint.choice import _FUNCTIONS, _VIEW, ErrorChoice, choose
from batcher.errors import ErrorClass, Problem, StorageError, UsageError
from batcher.records import Failure, Success

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]


@pytest.fixture
def recorded(checkpoint: Checkpoint, success: MakeSuccess, failure: MakeFailure) -> Path:
    """A checkpoint with a result in row 0, and errors in the rows 1 to 4."""
    busy = Problem(ErrorClass.OVERLOADED, "too many requests; come back", "1305", 429)
    checkpoint.write(
        [
            success(0),
            failure(1, key="k-1"),
            replace(
                failure(2, key="k-2"), problem=busy, cost=3_000_000_000, finished_at=1_000_000.25
            ),
            failure(3, key="k-3", error_class=ErrorClass.BAD_REQUEST),
            # Of a bad row there is no key.
            failure(4, error_class=ErrorClass.INVALID_ROW),
        ]
    )
    return checkpoint.path


def _rows(path: Path, where: str | None = None, *classes: ErrorClass) -> list[int]:
    chosen = choose(path, ErrorChoice(frozenset(classes), where))
    return [row for row in range(10) if row in chosen.rows]


def test_without_a_choice_all_errors_are_meant(recorded: Path) -> None:
    chosen = choose(recorded, ErrorChoice())
    assert [row for row in range(10) if row in chosen.rows] == [1, 2, 3, 4]
    assert chosen.called == {
        ErrorClass.SERVER_ERROR: 1,
        ErrorClass.OVERLOADED: 1,
        ErrorClass.BAD_REQUEST: 1,
    }
    assert chosen.bad == {ErrorClass.INVALID_ROW: 1}


def test_a_duplicate_stays_what_it_is_for_its_id_is_another_rows(
    checkpoint: Checkpoint, failure: MakeFailure
) -> None:
    """Which may be pending yet: called before it, the later row would have the id."""
    checkpoint.write([failure(5, error_class=ErrorClass.DUPLICATE_ID)])
    chosen = choose(checkpoint.path, ErrorChoice())
    assert (len(chosen.rows), chosen.bad.total(), chosen.duplicates) == (0, 0, 1)


def test_classes_and_a_condition_must_both_hold(recorded: Path) -> None:
    assert _rows(recorded, None, ErrorClass.OVERLOADED, ErrorClass.BAD_REQUEST) == [2, 3]
    assert _rows(recorded, "row > 2", ErrorClass.OVERLOADED, ErrorClass.BAD_REQUEST) == [3]
    # A slip of parentheses must not call more than was chosen.
    assert _rows(recorded, "1=1) OR (1=1", ErrorClass.OVERLOADED) == [2]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("http_status = 429", [2]),
        ("code = '1305' OR row = 1", [1, 2]),
        ("message LIKE '%come back%' -- a comment", [2]),
        ("cost = 3", [2]),
        ("failed_at < '1970-01-13'", [1, 2, 3, 4]),
        ("failed_at = '1970-01-12 13:46:40.250'", [2]),
        ("id IN (SELECT id FROM errors WHERE http_status = 500 AND row < 3)", [1]),
        (
            "source LIKE 'prompts.jsonl:%' AND sample = 0 AND instr(upper(message), 'FAILED')",
            [1, 3, 4],
        ),
        ("0", []),
    ],
)
def test_a_condition_speaks_of_the_columns_that_a_user_sees(
    recorded: Path, where: str, rows: list[int]
) -> None:
    assert _rows(recorded, where) == rows


@pytest.mark.parametrize(
    "where",
    [
        "http_satus = 1",
        "row =",
        "1) UNION SELECT row FROM outcomes WHERE (1",
        "row IN (SELECT row FROM main.outcomes)",
        "row IN (SELECT rowid FROM facts)",
        "EXISTS (SELECT 1 FROM sqlite_schema)",
        "load_extension('evil')",
        "length(randomblob(1000000000)) > 0",
        "1); DELETE FROM outcomes; --",
        "row = ?",
        "row IN (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n)",
        "id = '\ud800'",
        "id = '\0'",
    ],
)
def test_what_is_no_condition_or_touches_more_is_a_usage_error_that_lists_the_columns(
    recorded: Path, where: str
) -> None:
    before = recorded.read_bytes()
    with pytest.raises(UsageError, match=r"--where .*row, id, sample, error_class, .*failed_at"):
        _rows(recorded, where)
    assert recorded.read_bytes() == before


def test_with_several_samples_a_condition_speaks_of_the_rows_of_the_input(
    checkpoint: Checkpoint, failure: MakeFailure
) -> None:
    checkpoint.write([replace(failure(record), sample=record % 3) for record in range(9)])
    chosen = choose(checkpoint.path, ErrorChoice(where="row = 1 AND sample > 0"), samples=3)
    assert [record for record in range(9) if record in chosen.rows] == [4, 5]


def test_every_column_and_every_function_that_is_allowed_exists(recorded: Path) -> None:
    for name in _VIEW:
        assert _rows(recorded, f"{name} IS {name}") == [1, 2, 3, 4]
    known = {
        name
        for (name,) in sqlite3.connect(":memory:").execute("SELECT name FROM pragma_function_list")
    }
    # Newer ones of SQLite, and what the parser makes of words.
    assert known >= _FUNCTIONS - {"iif", "unixepoch", "octet_length"}


def test_a_damaged_error_is_named_and_not_called_again(
    checkpoint: Checkpoint, failure: MakeFailure
) -> None:
    checkpoint.write([failure(0), failure(1)])
    checkpoint._writer.execute("UPDATE outcomes SET code = '9' WHERE row = 1")
    with pytest.raises(StorageError, match="the outcome of row 1 is not what was written"):
        choose(checkpoint.path, ErrorChoice())
    assert choose(checkpoint.path, ErrorChoice(where="row = 0")).bad.total() == 1


def test_a_condition_that_would_take_for_ever_ends_with_a_signal(
    checkpoint: Checkpoint, failure: MakeFailure
) -> None:
    checkpoint.write([failure(row) for row in range(300)])
    others = ", ".join(f"errors e{n}" for n in range(6))
    endless = f"(SELECT sum(length(e0.id) + e5.row) FROM {others}) > 0"  # noqa: S608 -- no input
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.2, signal.pthread_kill, [main, signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        choose(checkpoint.path, ErrorChoice(where=endless))
