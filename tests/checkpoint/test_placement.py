"""Recorded outcomes beside an input that has changed."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint, Comparison, Placement
from batcher.errors import ErrorClass, StorageError
from batcher.recorded import record
from batcher.records import Failure, Mark, Outcome, Request, Source, Success

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeRequest = Callable[..., Request]


def _apply(checkpoint: Checkpoint, requests: Iterable[Request]) -> Comparison:
    with checkpoint.placement() as placement:
        for request in requests:
            placement.place(request)
        found = placement.compare()
        placement.apply()
    return found


def _shelved(checkpoint: Checkpoint) -> set[str]:
    return {key for (key,) in checkpoint._reader.execute("SELECT key FROM shelved")}


def test_an_unchanged_input_keeps_everything(
    checkpoint: Checkpoint, success: MakeSuccess, failure: MakeFailure, request_of: MakeRequest
) -> None:
    outcomes: list[Outcome] = [success(0), failure(1, key="key-id-1")]
    checkpoint.write(outcomes)
    assert _apply(checkpoint, [request_of(0), request_of(1)]) == Comparison(2, 0, 0)
    assert list(checkpoint.outcomes()) == [record(outcome) for outcome in outcomes]


def test_an_edited_row_is_called_again_and_undoing_the_edit_brings_its_answer_back(
    checkpoint: Checkpoint, success: MakeSuccess, request_of: MakeRequest
) -> None:
    checkpoint.write([success(0), success(1)])
    assert _apply(checkpoint, [request_of(0), request_of(1, key="edited")]) == Comparison(1, 1, 1)
    assert [recorded.row for recorded in checkpoint.outcomes()] == [0]
    assert 1 not in checkpoint.done()

    checkpoint.write([success(1, key="edited", text="to the edited row")])
    assert _apply(checkpoint, [request_of(0), request_of(1)]) == Comparison(2, 0, 1)
    assert list(checkpoint.outcomes()) == [record(success(0)), record(success(1))]
    assert _shelved(checkpoint) == {"edited"}
    assert checkpoint.has_shelved()


def test_a_line_put_before_the_others_moves_their_outcomes_and_where_they_stand(
    checkpoint: Checkpoint, success: MakeSuccess, request_of: MakeRequest
) -> None:
    checkpoint.write([success(0), success(1)])
    moved = [request_of(0, row_id="new"), *(request_of(n + 1, row_id=f"id-{n}") for n in (0, 1))]
    assert _apply(checkpoint, moved) == Comparison(kept=2, new=1, gone=0)
    assert [(o.row, o.id, o.source) for o in checkpoint.outcomes()] == [
        (1, "id-0", "prompts.jsonl:2"),
        (2, "id-1", "prompts.jsonl:3"),
    ]


def test_a_row_that_stays_learns_its_new_line(checkpoint: Checkpoint, success: MakeSuccess) -> None:
    """A blank line before it, or another name of the file, changes no row number."""
    checkpoint.write([success(0)])
    _apply(checkpoint, [Request(0, "id-0", "key-id-0", {}, Source("renamed.jsonl", 2))])
    assert checkpoint.first_with_ids(["id-0"]) == {"id-0": (0, "renamed.jsonl:2")}


def test_outcomes_without_a_key_are_dropped_to_be_made_again(
    checkpoint: Checkpoint, failure: MakeFailure, success: MakeSuccess, request_of: MakeRequest
) -> None:
    checkpoint.write([failure(0, error_class=ErrorClass.INVALID_ROW), success(1)])
    assert _apply(checkpoint, [request_of(1)]) == Comparison(kept=1, new=0, gone=0)
    assert [recorded.row for recorded in checkpoint.outcomes()] == [1]
    assert _shelved(checkpoint) == set()


def test_marks_of_the_input_that_was_are_dropped(checkpoint: Checkpoint) -> None:
    checkpoint.write([], [Mark(0, 0, 1, 0)])
    _apply(checkpoint, [])
    assert checkpoint.mark_before(100) is None


def test_the_second_row_of_an_id_is_told_where_the_first_stands(request_of: MakeRequest) -> None:
    with Placement.alone() as placement:
        assert placement.place(request_of(0, row_id="a")) is None
        assert placement.place(request_of(1, row_id="b")) is None
        assert placement.place(request_of(2, row_id="a", key="other")) == "prompts.jsonl:1"
        assert placement.place(request_of(3, row_id="a")) == "prompts.jsonl:1"


def test_of_two_rows_of_one_id_the_first_keeps_the_answer(
    checkpoint: Checkpoint, success: MakeSuccess, request_of: MakeRequest
) -> None:
    checkpoint.write([success(5, row_id="a")])
    assert _apply(checkpoint, [request_of(0, row_id="a"), request_of(5, row_id="a")]) == (
        Comparison(kept=1, new=0, gone=0)
    )
    assert [recorded.row for recorded in checkpoint.outcomes()] == [0]


def _sampled(request: Request, samples: int) -> list[Request]:
    """Return the requests for the samples of a row, the first of which has the key of the row."""
    return [
        request._replace(
            row=request.row * samples + sample,
            key=f"{request.key}/{sample}" if sample else request.key,
            sample=sample,
        )
        for sample in range(samples)
    ]


def test_the_samples_of_a_row_share_its_id_and_those_of_another_row_cannot_have_it(
    request_of: MakeRequest,
) -> None:
    with Placement.alone() as placement:
        own = _sampled(request_of(0, row_id="a"), 3)
        other = _sampled(request_of(1, row_id="a", key="other"), 3)
        assert [placement.place(one) for one in own] == [None] * 3
        assert [placement.place(one) for one in other] == ["prompts.jsonl:1"] * 3


def test_answers_follow_their_row_to_its_new_numbers_when_it_gets_more_samples_or_fewer(
    checkpoint: Checkpoint, success: MakeSuccess, request_of: MakeRequest
) -> None:
    def asked(samples: int) -> list[Request]:
        return [one for row in (0, 1) for one in _sampled(request_of(row), samples)]

    checkpoint.write([success(0), success(1)])
    assert _apply(checkpoint, asked(3)) == Comparison(kept=2, new=4, gone=0)
    assert [(one.row, one.id) for one in checkpoint.outcomes()] == [(0, "id-0"), (3, "id-1")]
    checkpoint.write(
        [
            replace(success(one.row, row_id=one.id, key=one.key), sample=one.sample)
            for one in asked(3)
            if one.sample
        ]
    )
    assert _apply(checkpoint, asked(2)) == Comparison(kept=4, new=0, gone=2)
    assert [(one.row, one.id, one.sample) for one in checkpoint.outcomes()] == [
        (0, "id-0", 0),
        (1, "id-0", 1),
        (2, "id-1", 0),
        (3, "id-1", 1),
    ]
    assert _apply(checkpoint, asked(3)) == Comparison(kept=6, new=0, gone=0)
    assert _shelved(checkpoint) == set()


def test_what_is_refused_or_interrupted_changes_nothing(
    checkpoint: Checkpoint, success: MakeSuccess
) -> None:
    checkpoint.write([success(0)], [Mark(0, 0, 1, 0)])

    def interrupted() -> None:
        with checkpoint.placement() as placement:
            placement.apply()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(checkpoint.outcomes()) == [record(success(0))]
    assert checkpoint.mark_before(0) == Mark(0, 0, 1, 0)
    checkpoint.write([success(1)])


def test_of_two_answers_to_one_key_the_newer_is_set_aside(
    checkpoint: Checkpoint, success: MakeSuccess, request_of: MakeRequest
) -> None:
    checkpoint.write([success(0, text="old")])
    _apply(checkpoint, [])
    checkpoint.write([success(0, text="new")])
    _apply(checkpoint, [])
    _apply(checkpoint, [request_of(0)])
    assert [recorded.response for recorded in checkpoint.outcomes()] == ["new"]


def test_what_is_set_aside_comes_back_as_it_was_to_the_row_that_asks_it(
    checkpoint: Checkpoint, success: MakeSuccess, request_of: MakeRequest
) -> None:
    checkpoint.write([success(0), success(1)])
    _apply(checkpoint, [request_of(0)])
    before = checkpoint.counts()
    assert checkpoint.set_aside(["key-id-0", "key-id-1"]) == {"key-id-1"}
    checkpoint.take_back(request_of(5, row_id="id-1"))
    assert list(checkpoint.outcomes()) == [
        record(success(0)),
        record(success(1))._replace(row=5, source="prompts.jsonl:6"),
    ]
    assert not checkpoint.has_shelved()
    after = checkpoint.counts()
    assert (after.results, after.attempts) == (2, before.attempts)


def test_what_comes_back_takes_the_place_of_an_error_and_what_that_took_is_added(
    checkpoint: Checkpoint, success: MakeSuccess, failure: MakeFailure, request_of: MakeRequest
) -> None:
    checkpoint.write([success(0)])
    _apply(checkpoint, [])
    checkpoint.write([replace(failure(0, key="key-id-0"), answered_before=2)])
    before = checkpoint.counts()
    checkpoint.take_back(request_of(0))
    (back,) = checkpoint.outcomes()
    assert (back.error_class, back.response, back.attempts) == (None, "fine", 3)
    assert checkpoint.counts().attempts == before.attempts == 3


def test_where_nothing_is_set_aside_nothing_comes_back(
    checkpoint: Checkpoint, success: MakeSuccess, request_of: MakeRequest
) -> None:
    checkpoint.write([success(0)])
    checkpoint.take_back(request_of(1))
    assert list(checkpoint.outcomes()) == [record(success(0))]


def test_each_placement_starts_empty(checkpoint: Checkpoint, request_of: MakeRequest) -> None:
    _apply(checkpoint, [request_of(0)])
    assert _apply(checkpoint, []) == Comparison(0, 0, 0)


def test_a_failing_temporary_database_is_an_error_with_the_way_out() -> None:
    def failing() -> None:
        with Placement.alone():
            raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(StorageError, match=r"temporary database of ids failed: .*full.*TMPDIR"):
        failing()


# An input as a list of (id, version): the key is made of both, as a real one is.
_inputs = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=7, unique_by=lambda row: row[0]
)


@given(steps=st.lists(st.tuples(_inputs, st.sets(st.integers(0, 6))), min_size=1, max_size=5))
def test_every_row_has_the_answer_of_its_key_and_no_paid_answer_is_ever_lost(
    steps: list[tuple[list[tuple[int, int]], set[int]]],
    success: MakeSuccess,
    request_of: MakeRequest,
) -> None:
    """Rows edited, added, removed and permuted, and some of them called, any number of times."""
    paid: set[str] = set()
    with (
        tempfile.TemporaryDirectory() as directory,
        Checkpoint.open(Path(directory) / "checkpoint.db") as checkpoint,
    ):
        for rows, called in steps:
            keys = [f"{number}:{version}" for number, version in rows]
            ids = [f"id-{number}" for number, _ in rows]
            before = {outcome.key for outcome in checkpoint.outcomes()}
            found = _apply(
                checkpoint,
                (
                    request_of(row, row_id=row_id, key=key)
                    for row, (row_id, key) in enumerate(zip(ids, keys, strict=True))
                ),
            )
            recorded = {outcome.row: outcome for outcome in checkpoint.outcomes()}
            assert {row: outcome.key for row, outcome in recorded.items()} == {
                row: key for row, key in enumerate(keys) if key in paid
            }
            assert all(
                (outcome.id, outcome.response, outcome.source)
                == (ids[row], f"answer to {keys[row]}", f"prompts.jsonl:{row + 1}")
                for row, outcome in recorded.items()
            )
            assert found == Comparison(
                kept=len(recorded), new=len(rows) - len(recorded), gone=len(before - set(keys))
            )
            assert _shelved(checkpoint) == paid - set(keys)

            new = [row for row in called if row < len(rows) and row not in recorded]
            checkpoint.write(
                [
                    success(row, row_id=ids[row], key=keys[row], text=f"answer to {keys[row]}")
                    for row in new
                ]
            )
            paid.update(keys[row] for row in new)


def test_a_row_that_asks_what_one_before_asked_is_told() -> None:
    with Placement.alone() as placement:
        assert [placement.asks_again(content) for content in "abab"] == [False, False, True, True]
