"""Reading a checkpoint whose bytes have changed: named, never passed on."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.errors import StorageError
from batcher.records import Failure, InvalidAnswer, Mark, Request, Success, Unanswered, Usage

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeInvalid = Callable[..., InvalidAnswer]
MakeRequest = Callable[..., Request]
Read = Callable[[CheckpointReader], object]


@pytest.mark.parametrize(
    ("sql", "read", "named"),
    [
        (
            "UPDATE outcomes SET response = 'other' WHERE row = 3",
            lambda checkpoint: list(checkpoint.outcomes()),
            "the outcome of row 3 is not what was written",
        ),
        (
            "UPDATE marks SET line = 99",
            lambda checkpoint: checkpoint.mark_before(7),
            "the place of row 2 is not what was written",
        ),
        (
            "UPDATE facts SET value = '1'",
            lambda checkpoint: checkpoint.fact("settings"),
            "what it says of 'settings' is not what was written",
        ),
        (
            "UPDATE totals SET rows = 4",
            lambda checkpoint: checkpoint.done(),
            "its list of 5 rows is not that of the 4 it has",
        ),
        (
            "UPDATE invalid_answers SET repairs = 0",
            lambda checkpoint: checkpoint.invalid_answers(),
            "an answer for the key pending is not what was written",
        ),
    ],
    ids=["outcome", "mark", "fact", "sums", "invalid answer"],
)
def test_a_record_that_was_changed_is_an_error_that_names_it(
    path: Path, success: MakeSuccess, invalid: MakeInvalid, sql: str, read: Read, named: str
) -> None:
    """Fault 18: with the way out."""
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(row) for row in range(5)], [Mark(2, 0, 3, 40)])
        checkpoint.write([invalid("pending", repairs=1)])
        checkpoint.remember(settings={"model": "m"})
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)
    with (
        CheckpointReader.read(path) as checkpoint,
        pytest.raises(StorageError, match=rf"checkpoint\.db is damaged: {named}\. Put back a copy"),
    ):
        read(checkpoint)


def test_the_last_row_with_an_outcome_is_known(path: Path, success: MakeSuccess) -> None:
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.last_row() is None
        checkpoint.write([success(7), success(3)])
        assert checkpoint.last_row() == 7


def test_without_an_earlier_mark_there_is_none(path: Path) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([], [Mark(2, 0, 3, 40)])
        assert checkpoint.mark_before(1) is None
        assert checkpoint.mark_before(2) == Mark(2, 0, 3, 40)


def test_calls_without_an_answer_are_counted_until_their_row_has_an_outcome(
    path: Path, success: MakeSuccess
) -> None:
    """Promise 4: across processes."""
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write(
            [],
            unanswered=[
                Unanswered("key-id-1", 5),
                Unanswered("key-id-2", 0),
                Unanswered("key-id-1", 7),
            ],
        )
    with Checkpoint.open(path) as checkpoint:
        calls, costs = checkpoint.unanswered()
        assert calls == {"key-id-1": 2, "key-id-2": 1}
        assert costs == {"key-id-1": 12, "key-id-2": 0}
        counts = checkpoint.counts()
        assert (counts.ambiguous_attempts, counts.possible_cost, counts.cost) == (3, 12, 0)
        checkpoint.write([replace(success(1), unanswered_before=2, cost=3, possible_cost=12)])
        assert checkpoint.unanswered() == ({"key-id-2": 1}, {"key-id-2": 0})
        counts = checkpoint.counts()
        assert (counts.ambiguous_attempts, counts.possible_cost, counts.cost) == (3, 12, 3)


def test_invalid_answers_are_kept_and_counted_until_their_row_has_an_outcome(
    path: Path, success: MakeSuccess, invalid: MakeInvalid
) -> None:
    """The next process asks again from there, and what they cost is never forgotten."""
    last = invalid("key-id-1", "hm?", repairs=1, cost=7)
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(0), invalid("key-id-1", cost=3), invalid("key-id-2")])
        checkpoint.write([last])
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.invalid_answers() == {
            "key-id-1": last,
            "key-id-2": invalid("key-id-2"),
        }
        counts = checkpoint.counts()
        assert (counts.attempts, counts.repairs, counts.cost) == (1 + 2 + 1, 1, 7)
        assert (counts.prompt_tokens, counts.rows) == (30, 1)
        checkpoint.write([replace(success(1), answered_before=2, repairs=2, cost=9)])
        assert list(checkpoint.invalid_answers()) == ["key-id-2"]
        counts = checkpoint.counts()
        assert (counts.attempts, counts.repairs, counts.cost) == (1 + 3 + 1, 2, 9)


@pytest.mark.parametrize("kills", [1, 3])
def test_calls_that_were_in_flight_at_kills_are_counted(path: Path, kills: int) -> None:
    """An error of the disk is as good as a kill: what was in flight is not recorded."""
    for _ in range(kills):
        with contextlib.suppress(StorageError), Checkpoint.open(path) as checkpoint:
            checkpoint.expect(4)
            checkpoint.expect(8)
            raise StorageError("the disk failed")
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.counts().killed_calls == 8 * kills


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ValueError])
def test_an_orderly_end_leaves_no_call_in_flight(
    path: Path, error: type[BaseException] | None
) -> None:
    with contextlib.suppress(KeyboardInterrupt, ValueError), Checkpoint.open(path) as checkpoint:
        checkpoint.expect(8)
        if error is not None:
            raise error
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.counts().killed_calls == 0


@pytest.mark.parametrize(
    "rowid",
    [b"\x00\xff\xff\xff\xff\xff\xff\xff\x7f"[1:], b"\xff" * 8],
    ids=["a number beyond the last row", "a negative number"],
)
def test_a_row_number_that_no_row_has_is_damage_before_it_fills_the_memory(
    path: Path, success: MakeSuccess, rowid: bytes
) -> None:
    """Only the index says it: the table is whole."""
    marker = 0x7A7A7A7A7A7A
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(1), success(marker)])
    whole = path.read_bytes()
    number = marker.to_bytes(6, "big")
    assert whole.count(number) >= 2
    with contextlib.closing(sqlite3.connect(path)) as connection:
        ((root,),) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'outcomes_class'"
        )
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    page = whole[(root - 1) * size : root * size]
    path.write_bytes(
        whole[: (root - 1) * size] + page.replace(number, rowid[:6]) + whole[root * size :]
    )
    with (
        CheckpointReader.read(path) as checkpoint,
        pytest.raises(StorageError, match=r"is damaged: its list of rows holds -?\d+"),
    ):
        checkpoint.done()


def test_requests_are_found_by_their_keys_whatever_their_row_and_though_they_are_set_aside(
    path: Path, success: MakeSuccess, failure: MakeFailure, request_of: MakeRequest
) -> None:
    with Checkpoint.open(path) as checkpoint:
        failures = [failure(3, key="key-id-3"), failure(4, key="old")]
        checkpoint.write([success(0), success(1), success(2), *failures])
        with checkpoint.placement() as placement:
            for row in (0, 1, 3, 4):
                placement.place(request_of(row))
            placement.apply()
        present = [request_of(7, row_id=f"id-{n}") for n in range(6)]
        assert checkpoint.with_outcome(present) == {"key-id-0", "key-id-1", "key-id-2", "key-id-3"}
        answered = checkpoint.with_outcome(present, errors_too=False)
        assert answered == {"key-id-0", "key-id-1", "key-id-2"}


def test_some_results_are_taken_from_all_over_the_run(
    path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    with Checkpoint.open(path) as checkpoint:
        assert list(checkpoint.some_results(10)) == []
        duplicate = success(1, usage=Usage())
        checkpoint.write([success(0), duplicate, failure(2)])
        checkpoint.write([success(row) for row in range(3, 1_000)])
        few = [found.row for found in checkpoint.some_results(10)]
        assert [found.row for found in checkpoint.some_results(2_000)] == [0, *range(3, 1_000)]
    assert len(few) == 10
    assert few[0] == 0
    assert all(80 < later - sooner < 120 for sooner, later in pairwise(few))


def test_a_result_that_was_changed_tells_no_length(path: Path, success: MakeSuccess) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(0)])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE outcomes SET completion_tokens = 1")
    with CheckpointReader.read(path) as checkpoint, pytest.raises(StorageError, match="row 0"):
        list(checkpoint.some_results(5))


def test_what_was_asked_is_answered_by_results_only(
    path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    with Checkpoint.open(path) as checkpoint:
        answered = replace(success(0), content="a")
        refused = replace(failure(1), content="b")
        checkpoint.write([answered, refused, success(2)])
        assert checkpoint.answered(["a", "b", "c"]) == {"a"}


def test_who_works_on_a_run_is_named_while_it_does(path: Path) -> None:
    with Checkpoint.open(path), CheckpointReader.read(path) as reader:
        assert reader.writer() == f"process {os.getpid()} on {socket.gethostname()}"
    with CheckpointReader.read(path) as reader:
        assert reader.writer() is None
