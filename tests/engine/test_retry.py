"""From single attempts to the outcome of a row: when it is called again, and when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.admission import MAX_BACKOFF_S, RunStoppedError
from batcher.engine.judgement import RESET_MARGIN_S
from batcher.engine.policy.patience import MAX_AMBIGUOUS, Fallback, RetryPolicy
from batcher.engine.policy.signal import Signal
from batcher.engine.policy.spending import Ceiling, Spending
from batcher.engine.retry import Retrier
from batcher.errors import Action, ErrorClass, Problem, ProviderError
from batcher.job import PriceSpec
from batcher.providers import Pricing
from batcher.records import (
    Attempt,
    Completion,
    Exchange,
    Failure,
    InvalidAnswer,
    Kept,
    Outcome,
    Request,
    Source,
    Success,
    Usage,
)
from tests.engines import Engine, Notebook, in_virtual_time, middle
from tests.overload import virtual

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}
REQUEST = Request(3, "id-3", "key-3", BODY, Source("prompts.jsonl", 4))
COMPLETION = Completion("hello", None, None, "stop", "m-0715", Usage(7, 2))
PRICE = PriceSpec(input=1.0, output=2.0, currency="CNY", context=100)
PRICING = Pricing.of("glm", dict.fromkeys(("m", "m2", "m3"), PRICE))
# The context is the least bound of its prompt, and at a million tokens for one unit.
WORST_TOKENS, WORST_NANOS = 110, 100 * 1000 + 10 * 2000

COUNTED = [
    error_class
    for error_class in ErrorClass
    if error_class.rule.action is Action.RETRY
    and error_class.rule.counts
    and error_class is not ErrorClass.AMBIGUOUS
]
STOPPING = [error_class for error_class in ErrorClass if error_class.rule.action is Action.STOP_RUN]
FAILING = [error_class for error_class in ErrorClass if error_class.rule.action is Action.FAIL_ROW]


def _error(error_class: ErrorClass, status: int | None = None, **values: Any) -> ProviderError:  # noqa: ANN401 -- any of its own
    return ProviderError(Problem(error_class, f"it was {error_class}", None, status), **values)


@dataclass
class _World:
    """A row, and a provider that answers by a script, `call_s` after each call."""

    answers: Iterator[ProviderError | Completion]
    call_s: float = 1.5
    keys: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    unanswered: Mapping[str, int] = field(default_factory=dict)
    called: list[tuple[float, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    by_key: list[int] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    held_in_call: list[int] = field(default_factory=list)
    held_in_sleep: list[int] = field(default_factory=list)
    held_in_put: list[int] = field(default_factory=list)
    reported: list[tuple[Attempt, int]] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    put: list[Outcome] = field(default_factory=list)
    others_go_on: bool = False
    engine: Engine = field(init=False)
    retrier: Retrier = field(init=False)

    def __post_init__(self) -> None:
        own: dict[str, Any] = {
            "most": 1,
            "pricing": PRICING,
            "monotonic": virtual.monotonic,
            "clock": virtual.clock,
            "sleep": asyncio.sleep,
            "uniform": middle,
            "on_attempt": self._on_attempt,
        }
        calls = [self._key(number) for number in range(1, self.keys + 1)]
        self.engine = Engine(calls, **(own | self.settings))
        numbers = count(1)
        self.retrier = replace(
            self.engine.retrier(),
            sleep=self._back_off,
            unanswered=self.unanswered,
            request_id=lambda: f"request-{next(numbers)}",
        )

    def _key(self, number: int) -> Any:  # noqa: ANN401 -- a call
        async def call(request: Request, request_id: str) -> Completion:
            assert request.key == REQUEST.key
            self.called.append((virtual.monotonic(), request_id))
            self.asked.append(str(request.body["model"]))
            self.by_key.append(number)
            self.held_in_call.append(self.retrier.admission.held)
            for lane in self.retrier.admission.lanes(self.asked[-1]):
                lane.answers += self.others_go_on
            await asyncio.sleep(self.call_s)
            answer = next(self.answers)
            if isinstance(answer, ProviderError):
                raise answer
            return answer

        return call

    async def _back_off(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.held_in_sleep.append(self.retrier.admission.held)
        await asyncio.sleep(seconds)

    def _on_attempt(self, exchange: Exchange) -> None:
        assert exchange.request.key == REQUEST.key
        self.exchanges.append(exchange)
        self.reported.append((exchange.attempt, exchange.possible_cost))

    async def _put(self, outcome: Kept) -> None:
        assert not isinstance(outcome, InvalidAnswer)
        self.held_in_put.append(self.retrier.admission.held)
        self.put.append(outcome)

    def goes_well(self) -> None:
        """Have the calls of other rows succeed, before and while this one is called."""
        self.others_go_on = True
        for model in ("m", "m2"):
            for lane in self.retrier.admission.lanes(model):
                for _ in range(100):
                    lane.breaker.heard(0.0, Signal.ANSWERED, began=0.0, probe=False)

    async def settle(self) -> Outcome:
        await self.retrier.settle(REQUEST, self._put)
        (outcome,) = self.put
        assert self.retrier.admission.held == 0
        return outcome


def _world(*answers: ProviderError | Completion, **settings: Any) -> _World:  # noqa: ANN401 -- of Engine
    return _World(iter(answers), settings=settings)


# --- one row ---


@in_virtual_time
async def test_a_completion_at_once_is_a_success_of_one_attempt() -> None:
    world = _world(COMPLETION)
    outcome = await world.settle()
    attempt = Attempt(1, "request-1", virtual.EPOCH, 1.5)
    assert isinstance(outcome, Success)
    assert (outcome.row, outcome.id, outcome.key) == (3, "id-3", "key-3")
    assert outcome.completion == COMPLETION
    assert outcome.attempts == (attempt,)
    assert outcome.finished_at == virtual.EPOCH + 1.5
    assert outcome.source == REQUEST.source
    assert world.reported == [(attempt, 0)]
    assert world.slept == []


@pytest.mark.parametrize("error_class", [*COUNTED, ErrorClass.AMBIGUOUS, ErrorClass.THROTTLED])
def test_a_passing_failure_is_tried_again_until_it_succeeds(error_class: ErrorClass) -> None:
    async def main() -> None:
        world = _world(_error(error_class), _error(error_class), COMPLETION)
        outcome = await world.settle()
        assert isinstance(outcome, Success)
        problems = [attempt.problem and attempt.problem.error_class for attempt in outcome.attempts]
        assert problems == [error_class, error_class, None]

    virtual.run(main())


@in_virtual_time
async def test_attempts_are_numbered_and_timed_and_each_has_its_own_request_id() -> None:
    """`started_at` is the wall clock's, `latency` without the backoff."""
    world = _world(_error(ErrorClass.SERVER_ERROR), _error(ErrorClass.THROTTLED), COMPLETION)
    outcome = await world.settle()
    assert world.slept == [1.0, 2.0]
    assert [
        (attempt.number, attempt.request_id, attempt.started_at - virtual.EPOCH, attempt.latency)
        for attempt in outcome.attempts
    ] == [
        (1, "request-1", 0.0, 1.5),
        (2, "request-2", 2.5, 1.5),
        (3, "request-3", 6.0, 1.5),
    ]
    assert [attempt for attempt, _ in world.reported] == list(outcome.attempts)
    assert [request_id for _, request_id in world.called] == ["request-1", "request-2", "request-3"]
    assert outcome.finished_at == virtual.EPOCH + 7.5


@in_virtual_time
async def test_a_wall_clock_that_jumps_back_does_not_touch_the_latency() -> None:
    clock = iter([virtual.EPOCH, virtual.EPOCH - 3600, virtual.EPOCH - 3600])
    world = _world(COMPLETION)
    world.retrier = replace(world.retrier, clock=lambda: next(clock))
    assert (await world.settle()).attempts[0].latency == 1.5


@in_virtual_time
async def test_request_ids_are_fresh_and_long_enough_for_the_protocol() -> None:
    """protocol.md section 1: 6 to 64 characters, unique."""
    world = _world(_error(ErrorClass.SERVER_ERROR), COMPLETION)
    world.retrier = replace(world.retrier, request_id=world.engine.retrier().request_id)
    await world.settle()
    (_, first), (_, second) = world.called
    assert first != second
    assert 6 <= len(first) == len(second) <= 64


@in_virtual_time
async def test_a_permit_is_held_in_calls_and_until_the_completion_is_put_but_never_in_backoff() -> (
    None
):
    world = _world(_error(ErrorClass.OVERLOADED), _error(ErrorClass.OVERLOADED), COMPLETION)
    await world.settle()
    assert world.held_in_call == [1, 1, 1]
    assert world.held_in_sleep == [0, 0]
    assert world.held_in_put == [1]


@in_virtual_time
async def test_the_lane_has_room_before_the_completion_is_put() -> None:
    world = _world(COMPLETION)
    (lane,) = world.retrier.admission.lanes("m")

    async def put(_outcome: Kept) -> None:
        assert not isinstance(_outcome, InvalidAnswer)
        assert lane.in_flight == 0
        world.held_in_put.append(world.retrier.admission.held)

    await world.retrier.settle(REQUEST, put)
    assert world.held_in_put == [1]


@pytest.mark.parametrize("error_class", FAILING)
def test_a_refused_request_is_a_failure_after_one_attempt(error_class: ErrorClass) -> None:
    async def main() -> None:
        error = _error(error_class, retry_after=1e9)
        world = _world(error)
        outcome = await world.settle()
        assert isinstance(outcome, Failure)
        assert (outcome.row, outcome.id, outcome.key) == (3, "id-3", "key-3")
        assert outcome.problem is error.problem
        assert outcome.attempts == (Attempt(1, "request-1", virtual.EPOCH, 1.5, error.problem),)
        assert outcome.finished_at == virtual.EPOCH + 1.5
        assert outcome.source == REQUEST.source
        assert world.slept == []
        assert world.held_in_put == [0]

    virtual.run(main())


@pytest.mark.parametrize("error_class", COUNTED)
def test_while_others_succeed_the_eighth_counted_failure_ends_the_row(
    error_class: ErrorClass,
) -> None:
    async def main() -> None:
        world = _world(*[_error(error_class)] * 9)
        world.goes_well()
        outcome = await world.settle()
        assert isinstance(outcome, Failure)
        assert len(world.called) == len(outcome.attempts) == 8
        assert len(world.slept) == 7
        assert world.engine.notices == []

    virtual.run(main())


@pytest.mark.parametrize("error_class", [ErrorClass.OVERLOADED, ErrorClass.NOT_SENT])
def test_an_outage_that_begins_with_the_last_row_does_not_end_it(error_class: ErrorClass) -> None:
    """reliability.md promise 9: all went well before, and nobody is left to be answered."""

    async def main() -> None:
        world = _world(*[_error(error_class)] * 30, COMPLETION)
        world.goes_well()
        world.others_go_on = False
        assert isinstance(await world.settle(), Success)
        assert world.engine.notices[0].startswith("The endpoint is down")

    virtual.run(main())


@pytest.mark.parametrize("error_class", [ErrorClass.OVERLOADED, ErrorClass.NOT_SENT])
def test_no_failure_ends_a_row_while_the_endpoint_is_down(error_class: ErrorClass) -> None:
    """reliability.md promise 9."""

    async def main() -> None:
        world = _world(*[_error(error_class)] * 100, *[COMPLETION] * 3)
        assert isinstance(await world.settle(), Success)
        assert len(world.called) == 101

    virtual.run(main())


@in_virtual_time
async def test_the_third_ambiguous_call_is_the_last_whatever_the_endpoint_does() -> None:
    """reliability.md promise 4: billed again at most 2 extra times, also with others between."""
    ambiguous, failed = _error(ErrorClass.AMBIGUOUS), [_error(ErrorClass.NOT_SENT)] * 3
    world = _world(ambiguous, *failed, ambiguous, *failed, ambiguous, COMPLETION)
    outcome = await world.settle()
    assert isinstance(outcome, Failure)
    assert outcome.problem.error_class is ErrorClass.AMBIGUOUS
    assert len(world.called) == 9


@in_virtual_time
async def test_a_row_is_not_sent_again_beyond_its_last_chance_though_its_key_is_set_aside() -> None:
    far = _error(ErrorClass.AMBIGUOUS, retry_after=1e6)
    world = _World(iter([far, far, far, COMPLETION]), keys=4)
    outcome = await world.settle()
    assert isinstance(outcome, Failure)
    assert world.by_key == [1, 2, 3]


@pytest.mark.parametrize(("before", "calls"), [(1, 2), (2, 1), (3, 0), (4, 0)])
def test_calls_of_earlier_processes_without_an_answer_count(before: int, calls: int) -> None:
    """Promise 4: a row may be billed at most twice more, however often the run is stopped."""

    async def main() -> None:
        ambiguous = [_error(ErrorClass.AMBIGUOUS)] * MAX_AMBIGUOUS
        world = _World(iter(ambiguous), unanswered={"key-3": before})
        outcome = await world.settle()
        assert isinstance(outcome, Failure)
        assert outcome.problem.error_class is ErrorClass.AMBIGUOUS
        assert len(world.called) == calls
        assert outcome.unanswered_before == before

    virtual.run(main())


@in_virtual_time
async def test_a_success_says_how_often_earlier_processes_had_no_answer() -> None:
    world = _World(iter([COMPLETION]), unanswered={"key-3": 2, "key-4": 1})
    assert (await world.settle()).unanswered_before == 2


@in_virtual_time
async def test_throttles_use_up_no_attempts_however_many() -> None:
    throttled, failed = _error(ErrorClass.THROTTLED), _error(ErrorClass.SERVER_ERROR)
    answers: list[ProviderError | Completion] = [
        *[throttled] * 300,
        *[failed] * 7,
        *[throttled] * 300,
        COMPLETION,
    ]
    world = _world(*answers, max_outage=1e9)
    assert isinstance(await world.settle(), Success)


@in_virtual_time
async def test_an_endless_throttle_is_asked_ever_more_slowly_up_to_a_minute() -> None:
    world = _world(*[_error(ErrorClass.THROTTLED)] * 40, COMPLETION)
    await world.settle()
    assert world.slept[:6] == [1.0, 2.0, 4.0, 8.0, 16.0, MAX_BACKOFF_S / 2]
    assert set(world.slept[5:]) == {MAX_BACKOFF_S / 2}


@given(failures=st.integers(1, 10_000), share=st.floats(0, 1))
def test_backoff_is_drawn_from_the_whole_of_a_doubling_range(failures: int, share: float) -> None:
    """Full jitter: U(0, min(60, 2^n)) (reliability.md section C)."""
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return low + share * (high - low)

    retrier = _world(uniform=uniform).retrier
    row = retrier._begun(REQUEST)
    failed = Problem(ErrorClass.SERVER_ERROR, "down")
    row.attempts.extend(Attempt(number, "r", 0.0, 0.0, failed) for number in range(failures))
    assert retrier._delay(row) == share * min(60, 2**failures)
    assert drawn == [(0, min(60, 2**failures))]


# --- the run, the key, the endpoint ---


@pytest.mark.parametrize("error_class", STOPPING)
def test_a_problem_of_every_call_stops_the_run_and_leaves_the_row(error_class: ErrorClass) -> None:
    async def main() -> None:
        error = _error(error_class)
        world = _world(error, COMPLETION)
        with pytest.raises(RunStoppedError):
            await world.settle()
        assert [attempt.problem for attempt, _ in world.reported] == [error.problem]
        (halt,) = world.engine.halts
        assert halt.exit_code == error_class.rule.exit_code
        assert world.slept == []
        assert world.put == []
        assert world.retrier.admission.held == 0

    virtual.run(main())


@in_virtual_time
async def test_a_row_whose_key_is_set_aside_goes_by_another_at_once() -> None:
    world = _World(iter([_error(ErrorClass.BALANCE), COMPLETION]), keys=2)
    outcome = await world.settle()
    assert isinstance(outcome, Success)
    assert world.by_key == [1, 2]
    assert [moment for moment, _ in world.called] == [0.0, 1.5]


@in_virtual_time
async def test_an_expired_token_is_renewed_and_the_row_goes_on() -> None:
    world = _world(_error(ErrorClass.TOKEN_EXPIRED), COMPLETION)
    assert isinstance(await world.settle(), Success)
    assert world.engine.renewed == [1]


@in_virtual_time
async def test_a_used_up_quota_is_waited_for_until_it_resets() -> None:
    resets_at = datetime.fromtimestamp(virtual.EPOCH, UTC) + timedelta(hours=5)
    world = _world(_error(ErrorClass.QUOTA_EXHAUSTED, resets_at=resets_at), COMPLETION)
    assert isinstance(await world.settle(), Success)
    assert 5 * 3600 + RESET_MARGIN_S <= world.called[-1][0] <= 5.5 * 3600 + 10


@in_virtual_time
async def test_a_row_that_failed_before_while_others_succeeded_does_not_open_the_breaker() -> None:
    world = _world(*[_error(ErrorClass.SERVER_ERROR)] * 100, policy=RetryPolicy(max_attempts=90))
    world.goes_well()
    assert isinstance(await world.settle(), Failure)
    assert len(world.called) == 90
    assert world.engine.notices == []


# --- other models ---

FALLING_BACK = Fallback(
    ("m", "m2", "m3"), frozenset({ErrorClass.OVERLOADED, ErrorClass.CONTENT_FILTERED})
)


@in_virtual_time
async def test_the_next_model_is_asked_at_once_on_the_errors_that_are_listed() -> None:
    """The row keeps its key; what answered is what the completion names."""
    world = _world(
        _error(ErrorClass.CONTENT_FILTERED),
        _error(ErrorClass.OVERLOADED),
        COMPLETION,
        fallback=FALLING_BACK,
    )
    outcome = await world.settle()
    assert isinstance(outcome, Success)
    assert world.asked == ["m", "m2", "m3"]
    assert [moment for moment, _ in world.called] == [0.0, 1.5, 3.0]
    assert (outcome.key, outcome.completion.model) == ("key-3", "m-0715")


@in_virtual_time
async def test_other_errors_leave_a_row_to_its_model() -> None:
    errors = (_error(ErrorClass.SERVER_ERROR), _error(ErrorClass.THROTTLED))
    world = _world(*errors, COMPLETION, fallback=FALLING_BACK)
    await world.settle()
    assert world.asked == ["m", "m", "m"]


@in_virtual_time
async def test_when_no_model_is_left_the_last_error_is_the_rows() -> None:
    world = _world(*[_error(ErrorClass.CONTENT_FILTERED)] * 4, fallback=FALLING_BACK)
    outcome = await world.settle()
    assert isinstance(outcome, Failure)
    assert outcome.problem.error_class is ErrorClass.CONTENT_FILTERED
    assert world.asked == ["m", "m2", "m3"]


@in_virtual_time
async def test_what_one_model_refused_does_not_count_against_the_next() -> None:
    world = _world(
        *[_error(ErrorClass.OVERLOADED)] * 9,
        fallback=Fallback(("m", "m2"), FALLING_BACK.on),
        policy=RetryPolicy(max_attempts=4),
    )
    world.goes_well()
    assert isinstance(await world.settle(), Failure)
    assert world.asked == ["m", *["m2"] * 4]


@in_virtual_time
async def test_a_row_that_names_another_model_has_none_to_fall_back_on() -> None:
    fallback = Fallback(("m2", "m3"), FALLING_BACK.on)
    world = _world(_error(ErrorClass.CONTENT_FILTERED), fallback=fallback)
    assert isinstance(await world.settle(), Failure)
    assert world.asked == ["m"]


@pytest.mark.parametrize(
    ("on", "model"), [(ErrorClass.OVERLOADED, "m2"), (ErrorClass.PROMPT_TOO_LONG, "m")]
)
def test_while_a_model_is_down_the_next_is_asked_if_that_is_what_it_is_for(
    on: ErrorClass, model: str
) -> None:
    async def main() -> None:
        world = _world(*[COMPLETION] * 3, fallback=Fallback(("m", "m2"), frozenset({on})))
        (lane,) = world.retrier.admission.lanes("m")
        for _ in range(10):
            lane.breaker.heard(0.0, Signal.FAILED, began=0.0, probe=False)
        await world.settle()
        assert world.asked == [model]

    virtual.run(main())


# --- ceilings ---


@dataclass
class _Purse:
    """Ceilings for cost and tokens that no single call reaches."""

    cost: Ceiling = field(default_factory=lambda: Ceiling(10**9, 0, "", Notebook()))
    tokens: Ceiling = field(default_factory=lambda: Ceiling(10**6, 0, "", Notebook()))

    @property
    def spending(self) -> Spending:
        return Spending(self.cost, self.tokens)

    @property
    def spent(self) -> tuple[int, int]:
        assert (self.tokens.reserved, self.cost.reserved) == (0, 0)
        return self.tokens.spent, self.cost.spent


@in_virtual_time
async def test_a_call_reserves_its_worst_case_and_pays_what_it_used() -> None:
    purse = _Purse()
    world = _world(COMPLETION, spending=purse.spending)
    task = asyncio.create_task(world.settle())
    await asyncio.sleep(1)
    assert (purse.tokens.reserved, purse.cost.reserved) == (WORST_TOKENS, WORST_NANOS)
    await task
    assert purse.spent == (9, 7 * 1000 + 2 * 2000)


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (_error(ErrorClass.AMBIGUOUS), True),
        (_error(ErrorClass.INFERENCE_FAILED, 200), True),
        (_error(ErrorClass.EMPTY_COMPLETION, 200), True),
        (_error(ErrorClass.SERVER_ERROR, 500), False),
        (_error(ErrorClass.NOT_SENT), False),
        (_error(ErrorClass.THROTTLED, 429), False),
    ],
)
def test_a_failed_call_that_may_be_billed_counts_as_its_worst_case(
    error: ProviderError,
    billed: bool,  # noqa: FBT001 -- a case
) -> None:
    async def main() -> None:
        purse = _Purse()
        world = _world(error, COMPLETION, spending=purse.spending)
        await world.settle()
        assert purse.spent == (9 + WORST_TOKENS * billed, 11_000 + WORST_NANOS * billed)
        assert [cost for _, cost in world.reported] == [WORST_NANOS * billed, 0]

    virtual.run(main())


@in_virtual_time
async def test_of_several_models_the_dearest_is_reserved() -> None:
    prices = {"m": PRICE, "m2": PriceSpec(input=9.0, output=9.0, currency="CNY", context=1000)}
    for on, nanos in ((ErrorClass.OVERLOADED, None), (ErrorClass.CONTENT_FILTERED, WORST_NANOS)):
        purse = _Purse()
        world = _world(
            COMPLETION,
            spending=purse.spending,
            pricing=Pricing.of("glm", prices),
            fallback=Fallback(("m", "m2"), frozenset({on})),
        )
        task = asyncio.create_task(world.settle())
        await asyncio.sleep(1)
        if nanos is None:
            assert purse.cost.reserved > 2 * WORST_NANOS
            assert purse.tokens.reserved > WORST_TOKENS
        else:
            assert purse.cost.reserved == nanos
        await task


@pytest.mark.parametrize(
    ("model", "spending", "what", "keys"),
    [
        ("unknown", _Purse().spending, "largest prompt and answer", "context, max_output"),
        ("boundless", _Purse().spending, "largest prompt and answer", "context, max_output"),
        ("unpriced", _Purse().spending, "price", "input, output, currency"),
    ],
)
def test_a_row_that_no_ceiling_can_be_kept_with_is_an_error_before_any_call(
    model: str, spending: Spending, what: str, keys: str
) -> None:
    async def main() -> None:
        body = {"model": model, "messages": BODY["messages"]}
        if model == "unpriced":
            body["max_tokens"] = 10
        prices = {"boundless": PriceSpec(input=1.0, output=1.0, currency="CNY")}
        world = _world(spending=spending, pricing=Pricing.of("glm", prices))
        await world.retrier.settle(REQUEST._replace(body=body), world._put)
        (outcome,) = world.put
        assert isinstance(outcome, Failure)
        assert outcome.problem.error_class is ErrorClass.INVALID_ROW
        assert f"the {what} of {model} is not known" in outcome.problem.message
        assert keys in outcome.problem.message
        assert outcome.attempts == ()
        assert world.called == []

    virtual.run(main())


@in_virtual_time
async def test_a_ceiling_of_tokens_needs_no_price() -> None:
    purse = _Purse()
    world = _world(
        COMPLETION, spending=Spending(tokens=purse.tokens), pricing=Pricing.of("openai", {})
    )
    assert isinstance(await world.settle(), Success)
    assert purse.tokens.spent == 9


@in_virtual_time
async def test_without_a_ceiling_nothing_needs_to_be_known_of_a_model() -> None:
    world = _world(_error(ErrorClass.AMBIGUOUS), COMPLETION, pricing=Pricing.of("openai", {}))
    assert isinstance(await world.settle(), Success)
    assert [cost for _, cost in world.reported] == [0, 0]


# --- what comes from outside ---


@in_virtual_time
async def test_a_bug_in_the_call_comes_out_as_it_is_and_is_not_tried_again() -> None:
    world = _World(COMPLETION for divisor in [0] if 1 // divisor)
    with pytest.raises(ZeroDivisionError):
        await world.settle()
    assert len(world.called) == 1
    assert world.retrier.admission.held == 0


@in_virtual_time
async def test_an_outcome_that_cannot_be_put_comes_out_and_frees_its_permit() -> None:
    world = _world(COMPLETION)

    async def put(_outcome: Kept) -> None:
        assert not isinstance(_outcome, InvalidAnswer)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await world.retrier.settle(REQUEST, put)
    assert len(world.called) == 1
    assert world.retrier.admission.held == 0


@in_virtual_time
async def test_a_call_that_is_cancelled_may_have_been_billed_and_gives_its_permit_back() -> None:
    purse = _Purse()
    world = _world(spending=purse.spending)
    task = asyncio.create_task(world.settle())
    await asyncio.sleep(1)
    task.cancel("the run is over")
    with pytest.raises(asyncio.CancelledError, match="the run is over"):
        await task
    ((attempt, cost),) = world.reported
    assert attempt.problem is not None
    assert attempt.problem.error_class is ErrorClass.AMBIGUOUS
    assert cost == WORST_NANOS
    assert purse.spent == (WORST_TOKENS, WORST_NANOS)
    assert world.retrier.admission.held == 0


@in_virtual_time
async def test_a_row_that_is_cancelled_in_its_backoff_ends_at_once() -> None:
    world = _world(_error(ErrorClass.SERVER_ERROR), COMPLETION)
    task = asyncio.create_task(world.settle())
    await asyncio.sleep(2)
    assert len(world.slept) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(world.called) == 1
    assert world.put == []


# --- what is wished for ---


@pytest.mark.parametrize(
    ("parameters", "most"),
    [
        ({}, None),
        ({"max_tokens": 30}, 30),
        ({"max_completion_tokens": 40}, 40),
        ({"max_tokens": 30, "max_completion_tokens": 40}, 30),
        ({"max_tokens": "many"}, None),
    ],
)
def test_a_wish_names_the_longest_answer_that_its_request_asks_for(
    parameters: Mapping[str, object], most: int | None
) -> None:
    world = _world()
    row = world.retrier._begun(REQUEST._replace(body={"model": "m", **parameters}))
    assert world.retrier._wish(row).most == most


@in_virtual_time
async def test_a_wish_says_how_often_its_row_failed_and_whether_it_may_be_lost_again() -> None:
    world = _World(iter([_error(ErrorClass.AMBIGUOUS)]), unanswered={"key-3": 1})
    first = world.retrier._wish(world.retrier._begun(REQUEST))
    assert (first.tries, first.last_chance) == (0, False)
    row = world.retrier._begun(REQUEST)
    with pytest.raises(ProviderError):
        await world.retrier._attempt(row, world._put)
    second = world.retrier._wish(row)
    assert (second.tries, second.last_chance) == (1, True)
