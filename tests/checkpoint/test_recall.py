"""Recorded outcomes, read back by what was asked."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint
from batcher.errors import ErrorClass, StorageError
from batcher.recorded import record
from batcher.records import Failure, Success

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MUCH = 10**6


def test_an_answer_is_found_by_the_content_of_its_request(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    one = replace(success(3, text="one"), content="a")
    checkpoint.write([success(0), one, replace(success(5, text="two"), content="b")])
    assert checkpoint.answers(["a", "x"], MUCH) == ({"a": record(one)}, ())
    assert checkpoint.answers([], MUCH) == ({}, ())


def test_of_many_rows_that_share_an_answer_one_is_read(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    checkpoint.write([replace(success(row), content="a") for row in range(100)])
    found, _ = checkpoint.answers(["a"], MUCH)
    assert list(found) == ["a"]


def test_an_error_is_no_answer(checkpoint: Checkpoint, failure: MakeFailure) -> None:
    filtered = failure(0, key="k", error_class=ErrorClass.CONTENT_FILTERED)
    checkpoint.write([replace(filtered, content="a")])
    assert checkpoint.answers(["a"], MUCH) == ({}, ())


def test_no_more_is_read_once_there_is_enough(checkpoint: Checkpoint, success: MakeSuccess) -> None:
    checkpoint.write([replace(success(n, text="x" * 60), content=str(n)) for n in range(5)])
    found, unseen = checkpoint.answers([str(n) for n in range(5)], 100)
    assert (list(found), unseen) == (["0", "1"], ["2", "3", "4"])


def test_an_answer_that_was_changed_is_named_and_passed_on_to_nobody(
    path: Path, success: MakeSuccess
) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([replace(success(7), content="a")])
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE outcomes SET response = 'x'")
    with (
        Checkpoint.open(path) as checkpoint,
        pytest.raises(StorageError, match="the outcome of row 7 is not what was written"),
    ):
        checkpoint.answers(["a"], MUCH)


def test_answers_are_found_by_an_index(checkpoint: Checkpoint) -> None:
    """A table without it is an error, not a scan of each answer for each row that is read."""
    checkpoint._reader.execute("PRAGMA query_only = OFF")
    checkpoint._reader.execute("DROP INDEX outcomes_content")
    with pytest.raises(StorageError, match="no such index"):
        checkpoint.answers(["a"], MUCH)
