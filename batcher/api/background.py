"""A run in a thread of its own, for programs whose main thread has an event loop already.

Whoever waits for it and is interrupted (Ctrl-C, a kernel's interrupt, the end of a task) asks the
run to end and waits until it has: calls in flight are recorded, then the interruption goes on.
Interrupted twice, the run ends at once; a third time, it is left behind as if it were killed, which
loses no more than calls in flight.
"""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future

from batcher.errors import Interruption
from batcher.runs.result import RunResult
from batcher.runs.stopping import Asked, Stopping

_PATIENCE = 2

Run = Callable[[Stopping], RunResult]


def wait(
    run: Run,
    block: Callable[[list[Future[RunResult]]], object] = futures.wait,
    asked: Asked | None = None,
    heard_as: Callable[[BaseException], signal.Signals] = lambda _interruption: signal.SIGINT,
) -> RunResult:
    """Run, and `block` until it has ended, or was `asked` to end by somebody else.

    What interrupts the wait, the run is told of by the signal that it is `heard_as`.
    """
    asked = asked or Asked()
    future = _started(run, asked)
    # KeyboardInterrupt, and whatever else the handler of a signal raises: Airflow's of a timeout.
    interruptions: list[BaseException] = []
    while not future.done() and len(interruptions) <= _PATIENCE:
        try:
            block([future])
        except BaseException as error:  # noqa: BLE001 # it goes on once the run has ended
            interruptions.append(error)
            asked.ask(heard_as(error))
    if not interruptions:
        return future.result()
    raise interruptions[0] from _what_went_wrong(future)


async def wait_async(run: Run) -> RunResult:
    """Run, and let others run until it has ended."""
    asked = Asked()
    future = _started(run, asked)
    ended = asyncio.wrap_future(future)
    cancellations: list[asyncio.CancelledError] = []
    while not ended.done() and len(cancellations) <= _PATIENCE:
        try:
            await asyncio.wait([ended])
        except asyncio.CancelledError as error:
            cancellations.append(error)
            asked.ask()
    if not cancellations:
        return ended.result()
    if ended.done():
        # Looked at, or asyncio complains.
        ended.exception()
    raise cancellations[0] from _what_went_wrong(future)


def _what_went_wrong(future: Future[RunResult]) -> BaseException | None:
    """Return what is to be told beside an interruption; that it came is no news."""
    error = future.exception() if future.done() else None
    return None if isinstance(error, Interruption) else error


def _started(run: Run, asked: Asked) -> Future[RunResult]:
    """Start the run; the thread keeps no program from ending."""
    future: Future[RunResult] = Future()
    future.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result = context.run(run, asked)
        except BaseException as error:  # noqa: BLE001 # whoever waits is told of it
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=work, name="batcher", daemon=True).start()
    return future
