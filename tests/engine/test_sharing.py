"""Rows that ask the same: who leads, who follows, and what a copy of an outcome is."""

from __future__ import annotations

import asyncio

import pytest

from batcher.engine.admission import RowPendingError
from batcher.engine.row import Row
from batcher.engine.sharing import Leaders, Shared, shared_outcome
from batcher.errors import ErrorClass, Problem
from batcher.records import (
    AnsweredBy,
    Attempt,
    Completion,
    Failure,
    InvalidAnswer,
    Outcome,
    Request,
    Source,
    Success,
    Usage,
)

COMPLETION = Completion("four", "since", "[1]", "stop", "m-0915", Usage(7, 2, 1, 1), "theirs")
PROBLEM = Problem(ErrorClass.CONTENT_FILTERED, "no", "1301", 400)
CONTENT = "content"


def _request(row: int, content: str | None = CONTENT) -> Request:
    source = Source("prompts.jsonl", row + 1)
    return Request(row, f"id-{row}", f"key-{row}", {"model": "m"}, source, 100, 3, content)


def _success(row: int = 0, answered_by: AnsweredBy = AnsweredBy.CALL) -> Success:
    return Success(
        *(row, f"id-{row}", f"key-{row}", COMPLETION, (Attempt(1, "r", 1.0, 0.5),), 2.0),
        Source("prompts.jsonl", row + 1),
        output='{"n":4}',
        unanswered_before=2,
        cost=500,
        possible_cost=30,
        currency="CNY",
        repairs=1,
        answered_before=1,
        answered_by=answered_by,
        content=CONTENT,
    )


def _failure(completion: Completion | None = None) -> Failure:
    source = Source("prompts.jsonl", 1)
    return Failure(
        *(0, "id-0", "key-0", PROBLEM, (Attempt(1, "r", 1.0, 0.5, PROBLEM),), 2.0, source),
        completion=completion,
        content=CONTENT,
    )


def _row(invalid: InvalidAnswer | None = None) -> Row:
    return Row(_request(5), 1, ("m",), "CNY", 40, invalid)


@pytest.mark.parametrize("outcome", [_success(), _failure()])
async def test_those_that_wait_for_a_row_get_its_outcome(outcome: Outcome) -> None:
    leaders = Leaders()
    leaders.lead(_request(0))
    followers = [leaders.followed_by(_request(row)) for row in (1, 2)]
    waiting = [asyncio.create_task(shared.outcome()) for shared in followers if shared]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    leaders.wrote(outcome)
    leaders.left(_request(0))
    assert await asyncio.gather(*waiting) == [outcome, outcome]


async def test_those_that_wait_for_a_row_that_stays_pending_stay_pending() -> None:
    leaders = Leaders()
    leaders.lead(_request(0))
    shared = leaders.followed_by(_request(1))
    assert shared is not None
    leaders.left(_request(0))
    with pytest.raises(RowPendingError):
        await shared.outcome()
    assert leaders.followed_by(_request(2)) is None


async def test_one_that_waits_no_more_takes_nothing_from_the_others() -> None:
    leaders = Leaders()
    leaders.lead(_request(0))
    one, other = leaders.followed_by(_request(1)), leaders.followed_by(_request(2))
    assert one is not None
    assert other is not None
    tired, patient = asyncio.create_task(one.outcome()), asyncio.create_task(other.outcome())
    await asyncio.sleep(0)
    tired.cancel()
    leaders.wrote(_success())
    assert await patient == _success()
    with pytest.raises(asyncio.CancelledError):
        await tired


def test_other_contents_and_rows_without_one_follow_nobody() -> None:
    leaders = Leaders()
    leaders.lead(_request(0))
    leaders.lead(_request(1, None))
    assert leaders.followed_by(_request(2, "another")) is None
    assert leaders.followed_by(_request(2, None)) is None
    leaders.left(_request(1, None))
    assert leaders.followed_by(_request(2)) is not None


def test_an_answer_counts_as_written_until_the_next_look_begins() -> None:
    leaders = Leaders()
    leaders.lead(_request(0))
    assert not leaders.has_written(CONTENT)
    leaders.wrote(_success())
    assert leaders.has_written(CONTENT)
    assert leaders.followed_by(_request(1)) is None
    leaders.looking()
    assert not leaders.has_written(CONTENT)


def test_an_error_is_no_answer_for_rows_that_come_later() -> None:
    leaders = Leaders()
    leaders.lead(_request(0))
    leaders.wrote(_failure())
    assert leaders.followed_by(_request(1)) is None
    assert not leaders.has_written(CONTENT)


async def test_a_row_that_is_left_after_its_error_does_not_end_the_one_that_leads_now() -> None:
    leaders = Leaders()
    leaders.lead(_request(0))
    leaders.wrote(_failure())
    leaders.lead(_request(1))
    leaders.left(_request(0))
    shared = leaders.followed_by(_request(2))
    assert shared is not None
    leaders.wrote(_success(1))
    assert await shared.outcome() == _success(1)


def test_what_was_not_called_for_others_hands_nothing_on() -> None:
    leaders = Leaders()
    leaders.wrote(_success())
    assert not leaders.has_written(CONTENT)


async def test_a_known_outcome_is_there_at_once_and_its_texts_count_as_held() -> None:
    known = Shared(_request(1), _success())
    assert await known.outcome() == _success()
    assert known.size == 100 + len("four") + len("since") + len("[1]")
    assert Shared(_request(1), _failure()).size == 100
    leaders = Leaders()
    leaders.lead(_request(0))
    following = leaders.followed_by(_request(1))
    assert following is not None
    assert following.size == 100


@pytest.mark.parametrize(
    ("answered_by", "expected"),
    [
        (AnsweredBy.CALL, AnsweredBy.DUPLICATE),
        (AnsweredBy.DUPLICATE, AnsweredBy.DUPLICATE),
        (AnsweredBy.CACHE, AnsweredBy.CACHE),
    ],
)
def test_a_copy_is_the_rows_own_and_cost_nothing(
    answered_by: AnsweredBy, expected: AnsweredBy
) -> None:
    """But for what earlier processes paid for this very row."""
    assert shared_outcome(_success(0, answered_by), _row(), 9.0) == Success(
        *(5, "id-5", "key-5"),
        Completion("four", "since", "[1]", "stop", "m-0915", Usage()),
        *((), 9.0, Source("prompts.jsonl", 6)),
        unanswered_before=1,
        cost=0,
        possible_cost=40,
        currency="CNY",
        output='{"n":4}',
        answered_by=expected,
        content=CONTENT,
        sample=3,
    )


def test_a_copy_of_an_error_is_one_for_its_row() -> None:
    assert shared_outcome(_failure(), _row(), 9.0) == Failure(
        *(5, "id-5", "key-5", PROBLEM, (), 9.0, Source("prompts.jsonl", 6)),
        unanswered_before=1,
        cost=0,
        possible_cost=40,
        currency="CNY",
        answered_by=AnsweredBy.DUPLICATE,
        content=CONTENT,
        sample=3,
    )


@pytest.mark.parametrize("outcome", [_success(), _failure(COMPLETION)])
def test_what_was_paid_for_answers_of_no_use_to_the_row_stays_in_its_sums(outcome: Outcome) -> None:
    invalid = InvalidAnswer("key-5", COMPLETION, "no JSON", repairs=1, cost=70)
    copy = shared_outcome(outcome, _row(invalid), 9.0)
    assert copy.completion is not None
    assert copy.completion.usage == COMPLETION.usage
    assert (copy.cost, copy.repairs, copy.answered_before) == (70, 1, 2)
