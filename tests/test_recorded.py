"""How an outcome is flattened, and the sums over a run."""

from __future__ import annotations

import dataclasses

from batcher.errors import ErrorClass, Problem
from batcher.recorded import Counts, Recorded, record
from batcher.records import AnsweredBy, Attempt, Completion, Failure, Source, Success, Usage

SOURCE = Source("data/prompts.jsonl", 18)
TIMEOUT = Problem(ErrorClass.AMBIGUOUS, "no whole answer", None, None)
ATTEMPTS = (Attempt(1, "req-1", 100.0, 9.5, TIMEOUT), Attempt(2, "req-2", 120.0, 1.25))


def test_a_success_is_flattened_with_its_last_attempt_and_every_field_of_its_completion() -> None:
    usage = Usage(1, 2, 3, 4)
    completion = Completion("yes", "because", "[{}]", "stop", "glm-4.7", usage, "theirs")
    assert record(Success(17, "a", "k", completion, ATTEMPTS, 121.5, SOURCE)) == Recorded(
        row=17,
        id="a",
        key="k",
        attempts=2,
        ambiguous_attempts=1,
        latency_s=1.25,
        finished_at=121_500_000,
        request_id="req-2",
        source="data/prompts.jsonl:18",
        response="yes",
        reasoning="because",
        tool_calls="[{}]",
        finish_reason="stop",
        model="glm-4.7",
        prompt_tokens=1,
        completion_tokens=2,
        cached_tokens=3,
        reasoning_tokens=4,
    )


def test_ambiguous_attempts_are_counted_with_those_of_earlier_processes() -> None:
    cut_off = Problem(ErrorClass.AMBIGUOUS, "cut off")
    attempts = (Attempt(1, "req-1", 1.0, 0.5, cut_off), Attempt(2, "req-2", 2.0, 0.5))
    completion = Completion("yes", None, None, "stop", "m", Usage())
    success = Success(17, "a", "k", completion, attempts, 3.0, SOURCE, unanswered_before=2)
    assert record(success).ambiguous_attempts == 3


def test_what_a_row_cost_is_flattened_with_it() -> None:
    completion = Completion("yes", None, None, "stop", "m", Usage())
    success = Success(17, "a", "k", completion, ATTEMPTS, 3.0, SOURCE)
    failure = Failure(17, "a", "k", TIMEOUT, ATTEMPTS, 3.0, SOURCE)
    for outcome in (success, failure):
        flat = record(outcome)
        assert (flat.cost, flat.possible_cost, flat.currency) == (None, 0, None)
        flat = record(dataclasses.replace(outcome, cost=5, possible_cost=7, currency="CNY"))
        assert (flat.cost, flat.possible_cost, flat.currency) == (5, 7, "CNY")


def test_a_failure_is_flattened_with_its_problem_and_no_completion() -> None:
    problem = Problem(ErrorClass.BAD_REQUEST, "bad", "1210", 400)
    assert record(Failure(17, "a", "k", problem, ATTEMPTS[:1], 121.5, SOURCE)) == Recorded(
        row=17,
        id="a",
        key="k",
        attempts=1,
        ambiguous_attempts=1,
        latency_s=9.5,
        finished_at=121_500_000,
        request_id="req-1",
        source="data/prompts.jsonl:18",
        error_class="bad_request",
        code="1210",
        http_status=400,
        message="bad",
    )


def test_a_row_without_a_call_has_neither_latency_nor_request_id() -> None:
    flat = record(Failure(0, "0", None, TIMEOUT, (), 0.0, SOURCE))
    assert (flat.attempts, flat.latency_s, flat.request_id, flat.key) == (0, None, None, None)


def test_what_is_flattened_is_plain_text_and_numbers() -> None:
    """An enum that calls itself a string would not be stored as one everywhere."""
    flat = record(Failure(0, "0", None, TIMEOUT, (), 0.0, SOURCE))
    assert {type(value) for value in flat} == {int, str, type(None)}


def test_moments_are_rounded_to_microseconds_not_cut() -> None:
    flat = record(Failure(0, "0", None, TIMEOUT, (), 0.000_000_999, SOURCE))
    assert flat.finished_at == 1


def test_the_rows_of_a_run_are_its_results_and_its_errors() -> None:
    errors = {ErrorClass.BAD_REQUEST: 2, ErrorClass.AMBIGUOUS: 3}
    counts = Counts(10, 1, errors, 20, 0, 0, 0, 0, 0)
    assert (counts.error_rows, counts.rows) == (5, 15)


def test_an_answer_of_no_use_is_kept_beside_its_problem() -> None:
    problem = Problem(ErrorClass.INVALID_OUTPUT, "no JSON")
    completion = Completion("pos?", None, None, "stop", "glm-4.7", Usage(1, 2))
    flat = record(
        Failure(17, "a", "k", problem, (), 1.0, SOURCE, completion=completion, repairs=2, sample=3)
    )
    assert (flat.error_class, flat.response, flat.model) == ("invalid_output", "pos?", "glm-4.7")
    assert (flat.prompt_tokens, flat.completion_tokens, flat.repairs, flat.sample) == (1, 2, 2, 3)


def test_what_a_shared_answer_holds_is_flattened_with_where_it_comes_from() -> None:
    completion = Completion("{}", None, None, "stop", "m", Usage())
    shared = Success(
        *(1, "a", "k", completion, (), 1.0, SOURCE),
        output="{}",
        answered_by=AnsweredBy.DUPLICATE,
        content="c",
    )
    flat = record(shared)
    assert (flat.output, flat.answered_by, flat.content) == ("{}", "duplicate", "c")
