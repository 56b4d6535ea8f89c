"""Calls in this process: what a stop lets end, and what it leaves pending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from batcher.engine.limiter import Limiter

from batcher.engine.pool import ROWS_PER_PERMIT
from batcher.engine.retry import Retrier, RetryPolicy
from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.executors import LocalExecutor
from batcher.records import Attempt, Completion, Outcome, Request, Source, Success, Usage

COMPLETION = Completion("hello", None, None, "stop", "glm-4-flash", Usage(7, 2))
FATAL = ProviderError(Problem(ErrorClass.BALANCE, "recharge", "1113", 429))
FAILED = ProviderError(Problem(ErrorClass.SERVER_ERROR, "failed"))


async def _settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class _World:
    """Calls and backoffs that end when the test says so."""

    permits: int
    rows: int
    calls: dict[int, asyncio.Future[Completion]] = field(default_factory=dict)
    called: list[int] = field(default_factory=list)
    backoffs: list[asyncio.Future[None]] = field(default_factory=list)
    pulled: list[int] = field(default_factory=list)
    put: list[Outcome] = field(default_factory=list)
    attempts: list[tuple[int, Attempt]] = field(default_factory=list)

    async def requests(self) -> AsyncIterator[Request]:
        for row in range(self.rows):
            self.pulled.append(row)
            yield Request(row, f"id-{row}", f"key-{row}", {}, Source("prompts.jsonl", row + 1))

    async def call(self, request: Request, _request_id: str) -> Completion:
        self.called.append(request.row)
        ending: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self.calls[request.row] = ending
        return await ending

    async def sleep(self, _seconds: float) -> None:
        self.backoffs.append(asyncio.get_running_loop().create_future())
        await self.backoffs[-1]

    async def record(self, outcome: Outcome) -> None:
        self.put.append(outcome)

    def executor(self) -> LocalExecutor:
        retrier = Retrier(
            self.call,
            Limiter(self.permits),
            RetryPolicy(),
            renew=lambda: None,
            on_attempt=lambda request, attempt: self.attempts.append((request.row, attempt)),
            sleep=self.sleep,
        )
        return LocalExecutor(retrier)

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
    assert executor.stopped_by is None


async def test_calls_in_flight_are_as_many_as_the_permits_and_rows_pulled_twice_that() -> None:
    world = _World(permits=2, rows=50)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    assert world.called == [0, 1]
    assert executor.in_flight == 2
    assert len(world.pulled) == 2 * ROWS_PER_PERMIT
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
    world = _World(permits=3, rows=50)
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
    assert executor.stopped_by is FATAL
    assert world.called == [0, 1, 2]
    assert world.pulled == list(range(3 * ROWS_PER_PERMIT))
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
    assert executor.stopped_by is FATAL


async def test_rows_in_backoff_stay_pending_when_the_run_stops() -> None:
    world = _World(permits=1, rows=1)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    world.calls[0].set_exception(FAILED)
    await _settle()
    (backoff,) = world.backoffs
    executor.stopping.set()
    await run
    assert backoff.cancelled()
    assert world.called == [0]
    assert world.put == []
    assert executor.stopped_by is None


async def test_a_call_that_fails_while_the_run_stops_is_not_tried_again() -> None:
    world = _World(permits=1, rows=1)
    executor = world.executor()
    run = world.start(executor)
    await _settle()
    executor.stopping.set()
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


async def test_a_call_that_raises_what_it_should_not_ends_the_run() -> None:
    world = _World(permits=2, rows=2)
    run = world.start(world.executor())
    await _settle()
    world.calls[0].set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await run
    assert world.calls[1].cancelled()
