"""The fold over attempts and outcomes, and its quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, Problem
from batcher.observe import Tally
from batcher.records import Attempt, Completion, Failure, Source, Success, Usage
from tests.engines import exchange

SOURCE = Source("prompts.jsonl", 1)
SHARES = (Fraction(50, 100), Fraction(95, 100), Fraction(99, 100))


def _attempt(number: int = 1, error_class: ErrorClass | None = None, latency: float = 1) -> Attempt:
    problem = Problem(error_class, "no") if error_class else None
    return Attempt(number, "request", 0.0, latency, problem)


def _success(usage: Usage | None = None, latency: float = 1.0) -> Success:
    completion = Completion("hi", None, None, "stop", "m", usage or Usage())
    attempts = (_attempt(1, ErrorClass.SERVER_ERROR, 1e6), _attempt(2, None, latency))
    return Success(0, "id", "key", completion, attempts, 0.0, SOURCE)


def _failure(error_class: ErrorClass) -> Failure:
    return Failure(0, "id", None, Problem(error_class, "no"), (), 0.0, SOURCE)


def _of_latencies(latencies: Sequence[float]) -> Tally:
    tally = Tally()
    for latency in latencies:
        tally.recorded(_success(latency=latency))
    return tally


def test_the_first_failure_of_each_class_is_kept() -> None:
    tally = Tally()
    for line, error_class in enumerate([*[ErrorClass.INVALID_ROW] * 2, ErrorClass.BAD_REQUEST], 1):
        tally.recorded(replace(_failure(error_class), source=Source("in.jsonl", line)))
    assert {name: str(source) for name, (source, _) in tally.first_failures.items()} == {
        ErrorClass.INVALID_ROW: "in.jsonl:1",
        ErrorClass.BAD_REQUEST: "in.jsonl:3",
    }


def test_only_attempts_after_one_that_failed_are_retries() -> None:
    """To ask again for a better answer is none."""
    tally = Tally()
    for attempt in (
        _attempt(1),
        _attempt(1, ErrorClass.AMBIGUOUS),
        replace(_attempt(2, ErrorClass.SERVER_ERROR), retry=True),
        replace(_attempt(3), retry=True),
        _attempt(4),
    ):
        tally.attempted(exchange(attempt))
    assert (tally.attempts, tally.retries) == (5, 2)
    assert tally.rows == 0


def test_results_bring_their_tokens_and_unknown_ones_bring_none() -> None:
    tally = Tally(done_before=10)
    tally.recorded(_success(Usage(7, 2)))
    tally.recorded(_success(Usage(None, 5)))
    tally.recorded(_success(Usage()))
    assert (tally.results, tally.failures, tally.rows) == (3, 0, 3)
    assert (tally.prompt_tokens, tally.completion_tokens) == (7, 7)
    assert tally.done_before == 10


def test_an_error_that_keeps_an_answer_brings_its_tokens_too() -> None:
    tally = Tally()
    completion = Completion("hm", None, None, "stop", "m", Usage(7, 2))
    tally.recorded(replace(_failure(ErrorClass.INVALID_OUTPUT), completion=completion))
    assert (tally.failures, tally.prompt_tokens, tally.completion_tokens) == (1, 7, 2)


def test_failures_are_counted_by_class() -> None:
    tally = Tally()
    for error_class in (
        ErrorClass.BAD_REQUEST,
        ErrorClass.INVALID_ROW,
        ErrorClass.BAD_REQUEST,
    ):
        tally.recorded(_failure(error_class))
    assert (tally.results, tally.failures, tally.rows) == (0, 3, 3)
    assert tally.classes == {ErrorClass.BAD_REQUEST: 2, ErrorClass.INVALID_ROW: 1}


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_without_results_there_is_no_latency(share: float) -> None:
    tally = Tally()
    tally.recorded(_failure(ErrorClass.BAD_REQUEST))
    assert tally.latency(share) is None


@given(
    latencies=st.lists(st.floats(1e-5, 1e5), min_size=1, max_size=300),
    share=st.sampled_from(SHARES),
)
def test_quantiles_are_within_one_per_cent_of_the_true_ones(
    latencies: list[float], share: Fraction
) -> None:
    """The latency of a result is that of its last attempt alone."""
    true = sorted(latencies)[math.ceil(share * len(latencies)) - 1]
    assert _of_latencies(latencies).latency(float(share)) == pytest.approx(true, rel=0.01)


def test_a_latency_of_nothing_is_one_too() -> None:
    """A clock may not have moved between two readings."""
    assert _of_latencies([0.0]).latency(0.5) == pytest.approx(1e-6, rel=0.01)


def test_an_answer_of_another_row_has_no_latency_of_its_own() -> None:
    tally = Tally()
    tally.recorded(replace(_success(), attempts=()))
    assert (tally.results, tally.latency(0.5)) == (1, None)


def test_quantiles_take_no_more_memory_for_more_rows() -> None:
    few, many = (_of_latencies([0.5 + n / 100 for n in range(100)] * k) for k in (1, 50))
    assert len(few._latencies.buckets) == len(many._latencies.buckets)


def test_rows_are_left_until_all_that_were_to_be_called_have_an_outcome() -> None:
    tally = Tally(done_before=3, total=10)
    assert (tally.goal, tally.left) == (10, 7)
    for _ in range(7):
        tally.recorded(_success())
    assert tally.left == 0
    assert Tally().left is None


def test_a_row_that_has_an_earlier_outcome_after_all_is_not_left_and_not_of_this_process() -> None:
    tally = Tally(done_before=3, total=10)
    tally.found()
    assert (tally.done_before, tally.left, tally.rows) == (4, 6, 0)


def test_of_chosen_rows_no_other_is_left() -> None:
    tally = Tally(total=10, chosen=2)
    tally.recorded(_failure(ErrorClass.THROTTLED))
    assert (tally.goal, tally.left) == (2, 1)
