"""Waiting for a run in another thread."""

from __future__ import annotations

import asyncio
import signal
import threading
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any, cast

import pytest

from batcher.api.background import wait, wait_async
from batcher.errors import Interruption, StorageError
from batcher.runs.result import RunResult
from batcher.runs.stopping import Asked, Stopping

RESULT = cast("RunResult", object())
"""Stands for how a run ended, which nobody here looks at."""


class _Run:
    """A run that goes on until it is asked to end, and then ends, maybe in `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.started = threading.Event()
        self.ended = threading.Event()
        self.let_go = threading.Event()
        self.thread: threading.Thread | None = None
        self.heard: signal.Signals | None = None

    def __call__(self, stopping: Stopping) -> RunResult:
        self.thread = threading.current_thread()
        with stopping.interruptible() as check:
            self.started.set()
            try:
                while not self.let_go.wait(0.001):
                    check()
            except Interruption as interruption:
                self.heard = interruption.number
                if self.error is not None:
                    raise self.error from None
                raise
            finally:
                self.ended.set()
        if self.error is not None:
            raise self.error
        return RESULT


class _Deaf(_Run):
    """A run that hears of nothing, such as one that waits for the user's own generator."""

    def __call__(self, stopping: Stopping) -> RunResult:
        del stopping
        self.started.set()
        self.let_go.wait()
        return RESULT


class _TimeIsUp(BaseException):
    """What a task of Airflow is told when it has lasted for too long."""


class _Interrupted:
    """Blocks until the run has ended, but is interrupted some times once it has started."""

    def __init__(
        self, run: _Run, times: int = 1, error: type[BaseException] = KeyboardInterrupt
    ) -> None:
        self.run = run
        self.left = times
        self.error = error

    def __call__(self, futures: list[Future[RunResult]]) -> None:
        self.run.started.wait()
        if self.left:
            self.left -= 1
            raise self.error
        wait_for(futures)


def test_it_has_a_thread_of_its_own_and_comes_back_with_its_result() -> None:
    run = _Run()
    run.let_go.set()
    assert wait(run) is RESULT
    assert run.thread is not threading.current_thread()


def test_what_goes_wrong_in_it_is_raised_where_it_is_waited_for() -> None:
    run = _Run(StorageError("no disk"))
    run.let_go.set()
    with pytest.raises(StorageError, match="no disk"):
        wait(run)


def test_an_interrupt_ends_it_before_it_goes_on() -> None:
    run = _Run()
    with pytest.raises(KeyboardInterrupt) as caught:
        wait(run, _Interrupted(run))
    assert run.ended.is_set()
    assert caught.value.__cause__ is None


def test_whatever_the_handler_of_a_signal_raises_ends_it_before_that_goes_on() -> None:
    run = _Run()
    with pytest.raises(_TimeIsUp):
        wait(run, _Interrupted(run, error=_TimeIsUp))
    assert run.ended.is_set()


@pytest.mark.parametrize(
    ("more", "number"), [({}, signal.SIGINT), ({"heard_as": lambda _: signal.SIGALRM}, 14)]
)
def test_it_is_told_of_the_signal_that_the_interruption_stands_for(
    more: dict[str, Any], number: int
) -> None:
    run = _Run()
    with pytest.raises(_TimeIsUp):
        wait(run, _Interrupted(run, error=_TimeIsUp), **more)
    assert run.heard == number


def test_somebody_else_may_ask_it_to_end() -> None:
    run, asked = _Run(), Asked()
    asked.ask()
    with pytest.raises(Interruption):
        wait(run, asked=asked)
    assert run.ended.is_set()


def test_what_went_wrong_while_it_ended_is_told_beside_the_interrupt() -> None:
    run = _Run(StorageError("no disk"))
    with pytest.raises(KeyboardInterrupt) as caught:
        wait(run, _Interrupted(run))
    assert isinstance(caught.value.__cause__, StorageError)


def test_a_run_that_does_not_hear_is_left_behind_at_the_third_interrupt() -> None:
    run = _Deaf()
    with pytest.raises(KeyboardInterrupt):
        wait(run, _Interrupted(run, times=3))
    assert not run.ended.is_set()
    run.let_go.set()


async def test_the_loop_goes_on_while_it_runs() -> None:
    run = _Run()
    task = asyncio.create_task(wait_async(run))
    await asyncio.to_thread(run.started.wait)
    assert not task.done()
    run.let_go.set()
    assert await task is RESULT


async def test_what_goes_wrong_in_it_is_raised_in_the_task() -> None:
    run = _Run(StorageError("no disk"))
    run.let_go.set()
    with pytest.raises(StorageError, match="no disk"):
        await wait_async(run)


async def test_a_cancelled_task_ends_it_before_it_is_cancelled() -> None:
    run = _Run()
    task = asyncio.create_task(wait_async(run))
    await asyncio.to_thread(run.started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.ended.is_set()


async def test_what_went_wrong_while_it_ended_is_told_beside_the_cancellation() -> None:
    run = _Run(StorageError("no disk"))
    task = asyncio.create_task(wait_async(run))
    await asyncio.to_thread(run.started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert isinstance(caught.value.__cause__, StorageError)


async def test_a_run_that_does_not_hear_is_left_behind_at_the_third_cancellation() -> None:
    run = _Deaf()
    task = asyncio.create_task(wait_async(run))
    await asyncio.to_thread(run.started.wait)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    run.let_go.set()
