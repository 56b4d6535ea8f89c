"""From failed attempts to the outcome of a row: when to try again, and when to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from batcher.engine.limiter import Limiter
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.retry import (
    MAX_AMBIGUOUS,
    MAX_BACKOFF_S,
    RESET_MARGIN_S,
    Retrier,
    RetryPolicy,
    RunStoppedError,
)
from batcher.errors import Action, ErrorClass, Problem, ProviderError
from batcher.records import (
    Attempt,
    Completion,
    Failure,
    Outcome,
    Request,
    Source,
    Success,
    Usage,
)

START = 1_700_000_000.0
REQUEST = Request(3, "id-3", "key-3", {"model": "glm-4-flash"}, Source("prompts.jsonl", 4))
COMPLETION = Completion("hello", None, None, "stop", "glm-4-flash", Usage(7, 2))

COUNTED = [
    error_class
    for error_class in ErrorClass
    if error_class.rule.action is Action.RETRY
    and error_class.rule.counts
    and error_class not in (ErrorClass.AMBIGUOUS, ErrorClass.TOKEN_EXPIRED)
]
STOPPING = [error_class for error_class in ErrorClass if error_class.rule.action is Action.STOP_RUN]
FAILING = [error_class for error_class in ErrorClass if error_class.rule.action is Action.FAIL_ROW]


def _error(error_class: ErrorClass, **values: Any) -> ProviderError:  # noqa: ANN401 # any of its own
    return ProviderError(Problem(error_class, f"it was {error_class}"), **values)


def _attempts(*classes: ErrorClass) -> list[Attempt]:
    return [
        Attempt(number, f"r{number}", START, 0.1, Problem(error_class, "no"))
        for number, error_class in enumerate(classes, 1)
    ]


def _middle(low: float, high: float) -> float:
    return (low + high) / 2


@dataclass
class _World:
    """Time that passes only in sleeps and calls, and a provider that answers by a script."""

    answers: Iterator[ProviderError | Completion]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    uniform: Callable[[float, float], float] = _middle
    limiter: Limiter = field(default_factory=lambda: Limiter(1))
    now: float = 0.0
    call_s: float = 1.5
    slept: list[float] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    held_in_call: list[int] = field(default_factory=list)
    held_in_sleep: list[int] = field(default_factory=list)
    renewed_after: list[int] = field(default_factory=list)
    reported: list[Attempt] = field(default_factory=list)

    async def call(self, request: Request, request_id: str) -> Completion:
        assert request is REQUEST
        self.called.append(request_id)
        self.held_in_call.append(self.limiter.in_flight)
        self.now += self.call_s
        answer = next(self.answers)
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.held_in_sleep.append(self.limiter.in_flight)
        self.now += seconds
        # Another row can have the permit meanwhile: with one permit this would hang otherwise.
        async with self.limiter.permit():
            pass

    def on_attempt(self, request: Request, attempt: Attempt) -> None:
        assert request is REQUEST
        self.reported.append(attempt)

    def retrier(self) -> Retrier:
        numbers = count(1)
        return Retrier(
            self.call,
            self.limiter,
            self.policy,
            renew=lambda: self.renewed_after.append(len(self.called)),
            on_attempt=self.on_attempt,
            sleep=self.sleep,
            clock=lambda: START + self.now,
            monotonic=lambda: 500.0 + self.now,
            uniform=self.uniform,
            request_id=lambda: f"request-{next(numbers)}",
        )


def _world(*answers: ProviderError | Completion, **values: Any) -> _World:  # noqa: ANN401 # any field
    return _World(iter(answers), **values)


async def _outcome(retrier: Retrier) -> Outcome:
    """Settle the request; whoever takes its outcome sees whether the permit is still held."""
    put: list[Outcome] = []

    async def take(outcome: Outcome) -> None:
        assert retrier.limiter.in_flight == isinstance(outcome, Success)
        put.append(outcome)

    await retrier.settle(REQUEST, take)
    (outcome,) = put
    return outcome


# --- one row, through the retrier ---


@pytest.mark.parametrize(("before", "calls"), [(1, 2), (2, 1), (3, 0), (4, 0)])
async def test_calls_of_earlier_processes_without_an_answer_count(before: int, calls: int) -> None:
    """Promise 4: a row may be billed at most twice more, however often the run is stopped."""
    world = _world(*[_error(ErrorClass.AMBIGUOUS)] * MAX_AMBIGUOUS)
    outcome = await _outcome(replace(world.retrier(), unanswered={"key-3": before}))
    assert isinstance(outcome, Failure)
    assert outcome.problem.error_class is ErrorClass.AMBIGUOUS
    assert len(world.called) == calls
    assert outcome.unanswered_before == before


async def test_a_success_says_how_often_earlier_processes_had_no_answer() -> None:
    retrier = replace(_world(COMPLETION).retrier(), unanswered={"key-3": 2, "key-4": 1})
    assert (await _outcome(retrier)).unanswered_before == 2


async def test_a_call_that_is_cancelled_may_have_been_billed() -> None:
    world = _world()
    called = asyncio.Event()

    async def call(_request: Request, _request_id: str) -> Completion:
        called.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(_outcome(replace(world.retrier(), call=call)))
    await called.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (attempt,) = world.reported
    assert attempt.problem is not None
    assert attempt.problem.error_class is ErrorClass.AMBIGUOUS


async def test_a_completion_at_once_is_a_success_of_one_attempt() -> None:
    world = _world(COMPLETION)
    outcome = await _outcome(world.retrier())
    attempt = Attempt(1, "request-1", START, 1.5)
    assert outcome == Success(
        3, "id-3", "key-3", COMPLETION, (attempt,), START + 1.5, REQUEST.source
    )
    assert world.reported == [attempt]
    assert world.slept == []


@pytest.mark.parametrize("error_class", [*COUNTED, ErrorClass.AMBIGUOUS, ErrorClass.THROTTLED])
async def test_a_passing_failure_is_tried_again_until_it_succeeds(error_class: ErrorClass) -> None:
    world = _world(_error(error_class), _error(error_class), COMPLETION)
    outcome = await _outcome(world.retrier())
    assert isinstance(outcome, Success)
    problems = [attempt.problem and attempt.problem.error_class for attempt in outcome.attempts]
    assert problems == [error_class, error_class, None]


async def test_attempts_are_numbered_and_timed_and_each_has_its_own_request_id() -> None:
    """`started_at` is the wall clock's, `latency` the monotonic clock's without the backoff."""
    world = _world(
        _error(ErrorClass.SERVER_ERROR), _error(ErrorClass.THROTTLED), COMPLETION, call_s=2.0
    )
    outcome = await _outcome(world.retrier())
    first, second = world.slept
    assert (first, second) == (1.0, 2.0)
    assert [
        (attempt.number, attempt.request_id, attempt.started_at, attempt.latency)
        for attempt in outcome.attempts
    ] == [
        (1, "request-1", START, 2.0),
        (2, "request-2", START + 3.0, 2.0),
        (3, "request-3", START + 7.0, 2.0),
    ]
    assert world.reported == list(outcome.attempts)
    assert world.called == ["request-1", "request-2", "request-3"]
    assert outcome.finished_at == START + 9.0


async def test_a_wall_clock_that_jumps_back_does_not_touch_the_latency() -> None:
    clock = iter([START, START - 3600, START - 3600])
    monotonic = iter([10.0, 12.5])
    retrier = Retrier(
        _world(COMPLETION).call,
        Limiter(1),
        RetryPolicy(),
        renew=lambda: None,
        on_attempt=lambda _request, _attempt: None,
        clock=lambda: next(clock),
        monotonic=lambda: next(monotonic),
    )
    outcome = await _outcome(retrier)
    assert outcome.attempts[0].latency == 2.5


async def test_request_ids_are_fresh_and_long_enough_for_the_protocol() -> None:
    """protocol.md section 1: 6 to 64 characters, unique."""
    world = _world(_error(ErrorClass.SERVER_ERROR), COMPLETION)
    retrier = Retrier(
        world.call, world.limiter, RetryPolicy(), lambda: None, world.on_attempt, world.sleep
    )
    await _outcome(retrier)
    first, second = world.called
    assert first != second
    assert 6 <= len(first) == len(second) <= 64


async def test_a_permit_is_held_in_calls_and_never_in_backoff() -> None:
    world = _world(_error(ErrorClass.OVERLOADED), _error(ErrorClass.OVERLOADED), COMPLETION)
    await _outcome(world.retrier())
    assert world.held_in_call == [1, 1, 1]
    assert world.held_in_sleep == [0, 0]


@pytest.mark.parametrize("error_class", FAILING)
async def test_a_refused_request_is_a_failure_after_one_attempt(error_class: ErrorClass) -> None:
    error = _error(error_class, retry_after=1e9)
    world = _world(error)
    outcome = await _outcome(world.retrier())
    attempt = Attempt(1, "request-1", START, 1.5, error.problem)
    assert outcome == Failure(
        3, "id-3", "key-3", error.problem, (attempt,), START + 1.5, REQUEST.source
    )
    assert world.slept == []


@pytest.mark.parametrize("error_class", COUNTED)
async def test_counted_failures_end_the_row_at_the_eighth(error_class: ErrorClass) -> None:
    world = _world(*[_error(error_class)] * 9)
    outcome = await _outcome(world.retrier())
    assert isinstance(outcome, Failure)
    assert len(world.called) == len(outcome.attempts) == 8
    assert len(world.slept) == 7


async def test_the_third_ambiguous_call_is_the_last() -> None:
    """reliability.md promise 4: billed again at most 2 extra times, also with others between."""
    ambiguous, throttled = _error(ErrorClass.AMBIGUOUS), _error(ErrorClass.THROTTLED)
    world = _world(ambiguous, throttled, ambiguous, throttled, ambiguous, COMPLETION)
    outcome = await _outcome(world.retrier())
    assert isinstance(outcome, Failure)
    assert outcome.problem.error_class is ErrorClass.AMBIGUOUS
    assert len(world.called) == 5


async def test_throttles_use_up_no_attempts_however_many() -> None:
    throttled, failed = _error(ErrorClass.THROTTLED), _error(ErrorClass.SERVER_ERROR)
    world = _world(*[throttled] * 300, *[failed] * 7, *[throttled] * 300, COMPLETION)
    assert isinstance(await _outcome(world.retrier()), Success)


async def test_an_endless_throttle_is_asked_ever_more_slowly_up_to_a_minute() -> None:
    world = _world(*[_error(ErrorClass.THROTTLED)] * 40, COMPLETION)
    await _outcome(world.retrier())
    assert world.slept[:6] == [1.0, 2.0, 4.0, 8.0, 16.0, MAX_BACKOFF_S / 2]
    assert set(world.slept[5:]) == {MAX_BACKOFF_S / 2}


@pytest.mark.parametrize("error_class", STOPPING)
async def test_a_problem_of_every_call_stops_the_run_and_leaves_the_row(
    error_class: ErrorClass,
) -> None:
    error = _error(error_class)
    world = _world(error, COMPLETION)
    with pytest.raises(RunStoppedError) as stopped:
        await _outcome(world.retrier())
    assert stopped.value.error is error
    assert [attempt.problem for attempt in world.reported] == [error.problem]
    assert world.slept == []


async def test_an_expired_token_is_renewed_once_and_the_row_goes_on() -> None:
    world = _world(_error(ErrorClass.TOKEN_EXPIRED), COMPLETION)
    assert isinstance(await _outcome(world.retrier()), Success)
    assert world.renewed_after == [1]


async def test_a_renewed_token_that_is_refused_too_stops_the_run() -> None:
    world = _world(_error(ErrorClass.TOKEN_EXPIRED), _error(ErrorClass.TOKEN_EXPIRED), COMPLETION)
    with pytest.raises(RunStoppedError):
        await _outcome(world.retrier())
    assert world.renewed_after == [1]


async def test_a_token_that_expires_again_much_later_is_renewed_again() -> None:
    expired = _error(ErrorClass.TOKEN_EXPIRED)
    world = _world(expired, _error(ErrorClass.THROTTLED), expired, COMPLETION)
    assert isinstance(await _outcome(world.retrier()), Success)
    assert world.renewed_after == [1, 3]


async def test_a_used_up_quota_is_waited_for_until_it_resets() -> None:
    resets_at = datetime.fromtimestamp(START, UTC) + timedelta(hours=5)
    world = _world(_error(ErrorClass.QUOTA_EXHAUSTED, resets_at=resets_at), COMPLETION)
    assert isinstance(await _outcome(world.retrier()), Success)
    assert world.now - world.call_s > 5 * 3600 + RESET_MARGIN_S


async def test_a_bug_in_the_call_comes_out_as_it_is_and_is_not_tried_again() -> None:
    calls: list[str] = []

    async def call(_request: Request, request_id: str) -> Completion:
        calls.append(request_id)
        raise ZeroDivisionError

    world = _world()
    retrier = Retrier(
        call, world.limiter, world.policy, lambda: None, world.on_attempt, world.sleep
    )
    with pytest.raises(ZeroDivisionError):
        await _outcome(retrier)
    assert len(calls) == 1
    assert world.limiter.in_flight == 0


@pytest.mark.parametrize("where", ["call", "sleep"])
async def test_a_cancelled_row_ends_at_once_and_gives_its_permit_back(where: str) -> None:
    reached, calls = asyncio.Event(), count()

    async def hang(*_: object) -> Any:  # noqa: ANN401 # stands for a call and for a sleep
        reached.set()
        await asyncio.Event().wait()

    async def fail(*_: object) -> Completion:
        next(calls)
        raise _error(ErrorClass.SERVER_ERROR)

    limiter = Limiter(1)
    retrier = Retrier(
        hang if where == "call" else fail,
        limiter,
        RetryPolicy(),
        renew=lambda: None,
        on_attempt=lambda _request, _attempt: None,
        sleep=hang,
    )
    task = asyncio.create_task(_outcome(retrier))
    await reached.wait()
    task.cancel("the run is over")
    with pytest.raises(asyncio.CancelledError, match="the run is over"):
        await task
    assert limiter.in_flight == 0
    assert next(calls) == (0 if where == "call" else 1)


# --- the policy alone ---

waits = st.floats(0, 1e6)
# Where in its range a jitter falls.
shares = st.floats(0, 1)


@given(failures=st.integers(1, 10_000), share=shares)
def test_backoff_is_drawn_from_the_whole_of_a_doubling_range(failures: int, share: float) -> None:
    """Full jitter: U(0, min(60, 2^n)) (reliability.md section C)."""
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low + share * (high - low)

    delay = RetryPolicy().delay(failures, _error(ErrorClass.THROTTLED), START, uniform)
    (bounds,) = asked
    low, high = bounds
    assert low == 0
    assert high == min(60, 2**failures)
    assert delay == share * high


@given(failures=st.integers(1, 20), asked=waits, share=shares)
def test_retry_after_is_never_cut_short_and_at_most_a_tenth_is_added(
    failures: int, asked: float, share: float
) -> None:
    error = _error(ErrorClass.THROTTLED, retry_after=asked)
    delay = RetryPolicy().delay(
        failures, error, START, lambda low, high: low + share * (high - low)
    )
    longest = max(asked, min(60, 2**failures))
    assert asked <= delay <= longest + asked / 10


@given(seconds=st.integers(-1_000_000, 1_000_000), share=shares)
def test_the_moment_of_a_reset_is_waited_for_with_a_margin(seconds: int, share: float) -> None:
    resets_at = datetime.fromtimestamp(START, UTC) + timedelta(seconds=seconds)
    error = _error(ErrorClass.QUOTA_EXHAUSTED, resets_at=resets_at)
    delay = RetryPolicy().delay(1, error, START, lambda low, high: low + share * (high - low))
    assert delay >= max(0, seconds) + RESET_MARGIN_S


@given(asked=waits, seconds=st.integers(0, 1_000_000))
def test_of_two_named_waits_the_longer_one_holds(asked: float, seconds: int) -> None:
    resets_at = datetime.fromtimestamp(START, UTC) + timedelta(seconds=seconds)
    error = _error(ErrorClass.QUOTA_EXHAUSTED, retry_after=asked, resets_at=resets_at)
    delay = RetryPolicy().delay(1, error, START, lambda low, _high: low)
    assert delay == max(asked, seconds + RESET_MARGIN_S)


@pytest.mark.parametrize(
    ("error", "stops"),
    [
        (_error(ErrorClass.THROTTLED), False),
        (_error(ErrorClass.THROTTLED, retry_after=100.0), False),
        (_error(ErrorClass.THROTTLED, retry_after=100.5), True),
        (_error(ErrorClass.OVERLOADED, retry_after=36_000.0), True),
        (_error(ErrorClass.QUOTA_EXHAUSTED), True),
        (_error(ErrorClass.QUOTA_EXHAUSTED, retry_after=100.0), False),
        (_error(ErrorClass.QUOTA_EXHAUSTED, retry_after=101.0), True),
        (
            _error(ErrorClass.QUOTA_EXHAUSTED, resets_at=datetime.fromtimestamp(START + 98, UTC)),
            False,
        ),
        (
            _error(ErrorClass.QUOTA_EXHAUSTED, resets_at=datetime.fromtimestamp(START + 99, UTC)),
            True,
        ),
        (_error(ErrorClass.QUOTA_EXHAUSTED, resets_at=datetime.fromtimestamp(0, UTC)), False),
        (_error(ErrorClass.BAD_REQUEST, retry_after=101.0), False),
    ],
)
def test_a_wait_beyond_the_longest_one_stops_the_run(error: ProviderError, stops: bool) -> None:  # noqa: FBT001 # a case
    policy = RetryPolicy(max_wait=100.0)
    assert policy.stops_run(_attempts(error.problem.error_class), error, START) is stops


classes = st.lists(st.sampled_from(list(ErrorClass)), min_size=1, max_size=40)


@given(classes=classes, limit=st.integers(1, 10))
def test_a_row_ends_by_its_last_class_or_by_what_is_counted(
    classes: Sequence[ErrorClass], limit: int
) -> None:
    counted = sum(error_class.rule.counts for error_class in classes)
    gives_up = RetryPolicy(max_attempts=limit).gives_up(_attempts(*classes))
    assert gives_up == (
        classes[-1] in FAILING
        or counted >= limit
        or classes.count(ErrorClass.AMBIGUOUS) >= MAX_AMBIGUOUS
    )


@given(throttles=st.integers(1, 200))
def test_a_throttle_never_ends_a_row(throttles: int) -> None:
    classes = [ErrorClass.THROTTLED] * throttles
    assert not RetryPolicy(max_attempts=1).gives_up(_attempts(*classes))
