"""Calls in this process: what a stop lets end, what it leaves pending, and that runs do end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.admission import LEAST_ROWS
from batcher.engine.policy.adaptive import AdaptiveLimit
from batcher.engine.policy.limit import FixedLimit
from batcher.engine.policy.patience import Fallback, RetryPolicy
from batcher.engine.policy.spending import Ceiling, Spending
from batcher.engine.sharing import Shared
from batcher.errors import ErrorClass, Halt, Problem, ProviderError
from batcher.executors import LocalExecutor
from batcher.job import PriceSpec
from batcher.limits import Concurrency
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
from batcher.structured import InvalidAnswerError
from tests.engines import Engine, Notebook
from tests.overload import virtual

COMPLETION = Completion("hello", None, None, "stop", "m", Usage(7, 2))
FATAL = ProviderError(Problem(ErrorClass.BALANCE, "recharge", "1113", 429))
FAILED = ProviderError(Problem(ErrorClass.SERVER_ERROR, "failed"))
PRICE = PriceSpec(input=1.0, output=1.0, currency="CNY", context=100, max_output=10)


def _request(row: int) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    return Request(row, f"id-{row}", f"key-{row}", body, Source("prompts.jsonl", row + 1))


async def _settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class _World:
    """Calls and backoffs that end when the test says so."""

    permits: int
    rows: int
    keys: int = 1
    calls: dict[int, asyncio.Future[Completion]] = field(default_factory=dict)
    called: list[int] = field(default_factory=list)
    backoffs: list[asyncio.Future[None]] = field(default_factory=list)
    pulled: list[int] = field(default_factory=list)
    put: list[Outcome] = field(default_factory=list)
    attempts: list[tuple[int, Attempt]] = field(default_factory=list)

    async def requests(self) -> AsyncIterator[Request]:
        for row in range(self.rows):
            self.pulled.append(row)
            yield _request(row)

    async def call(self, request: Request, _request_id: str) -> Completion:
        self.called.append(request.row)
        ending: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self.calls[request.row] = ending
        return await ending

    async def sleep(self, _seconds: float) -> None:
        self.backoffs.append(asyncio.get_running_loop().create_future())
        await self.backoffs[-1]

    async def record(self, outcome: Kept) -> None:
        assert not isinstance(outcome, InvalidAnswer)
        self.put.append(outcome)

    def executor(self, **settings: Any) -> LocalExecutor:  # noqa: ANN401 -- fields of Engine
        return Engine(
            [self.call] * self.keys,
            self.permits,
            sleep=self.sleep,
            on_attempt=self._attempted,
            **settings,
        ).executor()

    def _attempted(self, exchange: Exchange) -> None:
        self.attempts.append((exchange.request.row, exchange.attempt))

    def start(self, executor: LocalExecutor) -> asyncio.Task[None]:
        return asyncio.create_task(executor.run(self.requests(), self.record))

    @property
    def recorded(self) -> list[int]:
        return [outcome.row for outcome in self.put]


async def test_every_row_is_called_and_its_outcome_put() -> None:
    world = _World(permits=2, rows=5)
    executor = world.executor()
    run = world.start(executor)
    for row in range(5):
        await _settle()
        world.calls[row].set_result(COMPLETION)
    await run
    assert world.recorded == list(range(5))
    assert all(isinstance(outcome, Success) for outcome in world.put)
    assert executor.halted is None


async def test_calls_in_flight_are_as_many_as_the_permits_and_rows_pulled_a_bounded_number() -> (
    None
):
    world = _World(permits=2, rows=500)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    assert world.called == [0, 1]
    assert executor.in_flight == executor.flow().in_flight == 2
    assert len(world.pulled) == executor.width == LEAST_ROWS
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert executor.in_flight == 0


async def test_a_row_in_backoff_leaves_its_permit_to_another() -> None:
    world = _World(permits=1, rows=2)
    run = world.start(world.executor())
    await _settle()
    world.calls[0].set_exception(FAILED)
    await _settle()
    assert world.called == [0, 1]
    world.calls[1].set_result(COMPLETION)
    world.backoffs[0].set_result(None)
    await _settle()
    assert world.called == [0, 1, 0]
    world.calls[0].set_result(COMPLETION)
    await run
    assert world.recorded == [1, 0]


async def test_a_run_fatal_error_stops_the_dispatch_and_lets_the_calls_in_flight_end() -> None:
    """They may be paid: their outcomes are put; rows that wait for a permit are not called."""
    world = _World(permits=3, rows=500)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    world.calls[1].set_exception(FATAL)
    await _settle()
    assert executor.stopping.is_set()
    assert not run.done()
    world.calls[0].set_result(COMPLETION)
    world.calls[2].set_result(COMPLETION)
    await run
    assert executor.halted is not None
    assert executor.halted.exit_code == 77
    assert world.called == [0, 1, 2]
    assert world.pulled == list(range(LEAST_ROWS))
    assert world.recorded == [0, 2]
    assert [row for row, _ in world.attempts] == [1, 0, 2]


async def test_the_first_of_several_run_fatal_errors_is_the_one_reported() -> None:
    world = _World(permits=2, rows=2)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    other = ProviderError(Problem(ErrorClass.AUTHENTICATION, "no"))
    world.calls[1].set_exception(FATAL)
    await _settle()
    world.calls[0].set_exception(other)
    await run
    assert executor.halted is not None
    assert "recharge" in executor.halted.reason


async def test_the_first_reason_for_a_stop_is_the_one_reported() -> None:
    executor = _World(permits=1, rows=0).executor()
    executor.stop()
    assert executor.halted is None
    executor.stop(Halt("first"))
    executor.stop(Halt("second"))
    executor.stop()
    assert executor.halted == Halt("first")


async def test_a_reason_why_no_further_row_comes_lets_those_that_came_end() -> None:
    world = _World(permits=1, rows=2)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    executor.end_with(Halt("enough rows"))
    executor.end_with(Halt("later"))
    for row in (0, 1):
        world.calls[row].set_result(COMPLETION)
        await _settle()
    await run
    assert world.recorded == [0, 1]
    assert executor.halted == Halt("enough rows")


async def test_one_key_of_several_that_is_refused_stops_nothing() -> None:
    world = _World(permits=1, rows=1, keys=2)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    world.calls[0].set_exception(FATAL)
    await _settle()
    assert world.called == [0, 0]
    world.calls[0].set_result(COMPLETION)
    await run
    assert executor.halted is None
    assert world.recorded == [0]


async def test_rows_in_backoff_stay_pending_when_the_run_stops() -> None:
    world = _World(permits=1, rows=1)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    world.calls[0].set_exception(FAILED)
    await _settle()
    (backoff,) = world.backoffs
    executor.stop()
    await run
    assert backoff.cancelled()
    assert world.called == [0]
    assert world.put == []
    assert executor.halted is None


async def test_a_call_that_fails_while_the_run_stops_is_not_tried_again() -> None:
    world = _World(permits=1, rows=1)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    executor.stop()
    world.calls[0].set_exception(FAILED)
    await run
    assert world.called == [0]
    assert world.put == []


async def test_cancelling_the_run_cancels_its_backoffs() -> None:
    world = _World(permits=1, rows=1)
    run = world.start(world.executor())
    await _settle()
    world.calls[0].set_exception(FAILED)
    await _settle()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await _settle()
    assert world.backoffs[0].cancelled()


async def test_cancelling_the_run_ends_rows_that_wait_for_a_permit_with_those_in_flight() -> None:
    world = _World(permits=2, rows=50)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert world.called == [0, 1]
    assert executor.in_flight == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_call_that_raises_what_it_should_not_ends_the_run() -> None:
    world = _World(permits=2, rows=2)
    run = world.start(world.executor())
    await _settle()
    world.calls[0].set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await run
    assert world.calls[1].cancelled()


async def test_a_backoff_that_raises_ends_the_run() -> None:
    world = _World(permits=1, rows=2)
    run = world.start(world.executor())
    await _settle()
    world.calls[0].set_exception(FAILED)
    await _settle()
    world.backoffs[0].set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await run


async def test_the_concurrency_of_a_run_is_told_in_the_end() -> None:
    world = _World(permits=2, rows=3)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    world.calls[0].set_exception(ProviderError(Problem(ErrorClass.THROTTLED, "busy")))
    await _settle()
    world.backoffs[0].set_result(None)
    for row in (1, 2, 0):
        world.calls[row].set_result(COMPLETION)
        await _settle()
    await run
    assert executor.concurrency(fixed=True) == Concurrency(2, 2, 1, fixed=True)


def test_in_an_outage_each_failed_probe_lets_one_more_row_in() -> None:
    """So that the rows at hand, should they be what is wrong, do not keep the others out."""
    pulled: list[int] = []

    async def requests() -> AsyncIterator[Request]:
        for row in range(500):
            pulled.append(row)
            yield _request(row)

    async def call(_request: Request, _request_id: str) -> Completion:
        raise FAILED

    async def put(_outcome: Kept) -> None:
        assert not isinstance(_outcome, InvalidAnswer)
        raise AssertionError

    async def main() -> None:
        engine = Engine([call], 8, **_virtual(seed=1))
        executor = engine.executor()
        run = asyncio.create_task(executor.run(requests(), put))
        await asyncio.sleep(3600)
        (lane,) = executor.admission.lanes("m")
        assert lane.breaker.failed_probes > 50
        assert len(pulled) == LEAST_ROWS + lane.breaker.failed_probes
        executor.stop()
        await run

    virtual.run(main())


def _virtual(seed: int) -> dict[str, Any]:
    return {
        "monotonic": virtual.monotonic,
        "clock": virtual.clock,
        "sleep": asyncio.sleep,
        "uniform": random.Random(seed).uniform,  # noqa: S311 -- a model
    }


endings = st.one_of(
    st.none(),
    st.builds(
        lambda error_class, retry_after: (error_class, retry_after),
        st.sampled_from(list(ErrorClass)),
        st.none() | st.floats(0, 10_000),
    ),
)


@given(
    st.lists(st.lists(endings, max_size=8), max_size=30),
    st.integers(1, 3),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([None, 100.0]),
    st.sampled_from([10**5, 10**9]),
    st.booleans(),
)
def test_whatever_calls_end_in_a_run_ends_with_each_row_put_once_or_a_reason(
    rows: Sequence[Sequence[tuple[ErrorClass, float | None] | None]],
    keys: int,
    most: int,
    fixed: bool,  # noqa: FBT001 -- a case
    rpm: float | None,
    money: int,
    fallback: bool,  # noqa: FBT001 -- a case
) -> None:
    """Nothing leaks, and no ceiling is exceeded; in virtual time a run that hangs is noticed."""
    put: list[int] = []
    under_way = 0

    async def requests() -> AsyncIterator[Request]:
        for row in range(len(rows)):
            yield _request(row)

    scripts = [iter(row) for row in rows]

    async def call(request: Request, _request_id: str) -> Completion:
        nonlocal under_way
        under_way += 1
        assert under_way <= most
        try:
            await asyncio.sleep(0.5 + request.row % 7)
        finally:
            under_way -= 1
        ending = next(scripts[request.row], None)
        if ending is None:
            return COMPLETION
        error_class, retry_after = ending
        raise ProviderError(Problem(error_class, "no", None, 429), retry_after=retry_after)

    async def record(outcome: Kept) -> None:
        assert not isinstance(outcome, InvalidAnswer)
        put.append(outcome.row)

    async def main() -> None:
        cost = Ceiling(money, 0, "enough", Notebook())
        engine = Engine(
            [call] * keys,
            most,
            limit=lambda: FixedLimit(most) if fixed else AdaptiveLimit(most),
            policy=RetryPolicy(),
            pricing=Pricing.of("glm", {"m": PRICE, "m2": PRICE}),
            spending=Spending(cost),
            fallback=Fallback(("m", "m2"), frozenset({ErrorClass.OVERLOADED}))
            if fallback
            else Fallback(),
            rpm=rpm,
            **_virtual(len(rows)),
        )
        executor = engine.executor()
        await executor.run(requests(), record)
        assert sorted(set(put)) == sorted(put)
        assert len(put) == len(rows) or executor.halted is not None
        assert executor.in_flight == 0
        assert cost.reserved == 0
        assert cost.spent <= money
        lanes = [lane for lanes in executor.admission.by_model() for lane in lanes]
        assert all(lane.in_flight == 0 for lane in lanes)
        # One turn, in which a timer that was just cancelled ends.
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual.run(main())


@dataclass
class _Alike:
    """Rows that ask the same as others, taken up as a run does, with a look that takes no time."""

    contents: Sequence[int]
    world: _World
    executor: LocalExecutor
    recorded: dict[str, Outcome] = field(default_factory=dict)

    async def requests(self) -> AsyncIterator[Request | Shared]:
        leaders = self.executor.leaders
        for row, content in enumerate(self.contents):
            request = _request(row)._replace(content=f"content-{content}")
            if known := self.recorded.get(request.content or ""):
                yield Shared(request, known)
            elif shared := leaders.followed_by(request):
                yield shared
            else:
                leaders.lead(request)
                yield request

    async def record(self, kept: Kept) -> None:
        await asyncio.sleep(0)
        if not isinstance(kept, InvalidAnswer):
            await self.world.record(kept)
        if isinstance(kept, Success) and kept.content:
            self.recorded.setdefault(kept.content, kept)

    def start(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.executor.run(self.requests(), self.record))


def _alike(world: _World, *contents: int) -> _Alike:
    return _Alike(contents, world, world.executor())


async def test_rows_that_ask_the_same_are_called_once_and_all_get_the_answer() -> None:
    world = _World(permits=4, rows=0)
    run = _alike(world, 1, 1, 2, 1).start()
    await _settle()
    assert world.called == [0, 2]
    world.calls[0].set_result(COMPLETION)
    world.calls[2].set_result(COMPLETION)
    await run
    assert sorted(world.recorded) == [0, 1, 2, 3]
    by = {outcome.row: outcome.answered_by for outcome in world.put}
    assert [by[row] for row in range(4)] == ["call", "duplicate", "call", "duplicate"]


async def test_rows_that_wait_for_one_that_fails_get_its_error() -> None:
    world = _World(permits=4, rows=0)
    run = _alike(world, 1, 1).start()
    await _settle()
    filtered = Problem(ErrorClass.CONTENT_FILTERED, "no", "1301", 400)
    world.calls[0].set_exception(ProviderError(filtered))
    await run
    assert world.called == [0]
    assert [isinstance(outcome, Failure) and outcome.problem for outcome in world.put] == [
        filtered,
        filtered,
    ]


async def test_rows_that_wait_for_one_that_a_stop_leaves_pending_stay_pending() -> None:
    world = _World(permits=1, rows=0)
    alike = _alike(world, 1, 1, 2, 2)
    run = alike.start()
    await _settle()
    alike.executor.stop()
    world.calls[0].set_result(COMPLETION)
    await run
    assert world.called == [0]
    assert sorted(world.recorded) == [0, 1]


async def test_a_run_that_is_cancelled_leaves_no_row_waiting() -> None:
    world = _World(permits=1, rows=0)
    run = _alike(world, 1, 1, 1).start()
    await _settle()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert world.put == []


async def test_an_answer_of_no_use_is_not_handed_on() -> None:
    """The row that leads is asked again; those that wait get the answer to that."""

    def read(text: str) -> str:
        if text != "hello":
            raise InvalidAnswerError("say hello")
        return "{}"

    world = _World(permits=1, rows=0)
    alike = _alike(world, 1, 1)
    alike.executor.retrier = replace(alike.executor.retrier, read=read)
    run = alike.start()
    await _settle()
    world.calls.pop(0).set_result(Completion("oops", None, None, "stop", "m", Usage(7, 2)))
    await _settle()
    world.calls[0].set_result(COMPLETION)
    await run
    assert [(outcome.row, outcome.repairs) for outcome in world.put] == [(0, 1), (1, 0)]


@given(
    st.lists(st.integers(0, 3), max_size=25),
    st.lists(st.sampled_from([None, *ErrorClass]), max_size=12),
    st.integers(1, 4),
    st.none() | st.floats(0, 40),
)
def test_no_two_calls_of_one_content_are_answered_whatever_ends_the_run(
    contents: Sequence[int],
    endings: Sequence[ErrorClass | None],
    most: int,
    stop_at: float | None,
) -> None:
    """None at the same time either; in virtual time a run that hangs is noticed."""
    script = iter(endings)
    under_way: set[str] = set()
    answered: list[str] = []

    async def call(request: Request, _request_id: str) -> Completion:
        assert request.content is not None
        assert request.content not in under_way
        under_way.add(request.content)
        try:
            await asyncio.sleep(0.5 + request.row % 7)
        finally:
            under_way.remove(request.content)
        if error_class := next(script, None):
            raise ProviderError(Problem(error_class, "no", None, 429))
        answered.append(request.content)
        return COMPLETION

    async def main() -> None:
        world = _World(most, rows=0)
        executor = Engine([call], most, **_virtual(len(contents))).executor()
        alike = _Alike(contents, world, executor)
        run = alike.start()
        if stop_at is not None:
            asyncio.get_running_loop().call_later(stop_at, executor.stop)
        await run
        assert len(set(answered)) == len(answered)
        assert len(set(world.recorded)) == len(world.recorded)
        calls = [outcome for outcome in world.put if outcome.answered_by == "call"]
        assert {outcome.content for outcome in world.put} == {one.content for one in calls}
        if executor.halted is None and stop_at is None:
            assert len(world.put) == len(contents)

    virtual.run(main())
