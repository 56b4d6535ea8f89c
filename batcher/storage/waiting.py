"""Work on a store, waited for in a way that a signal or a clock can end.

Libraries in C++ hear of no signal before they return, and not all of them can be told how long to
wait. So they work in a thread of their own, which is left alone when nobody waits for it any more:
what it was about to write is not there until it is whole. No signal becomes an exception there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from typing import TypeVar

Value = TypeVar("Value")

Stop = Callable[[], bool]
"""Says whether nobody waits any more."""

SECONDS = 60.0
"""For what a store does at once, or never."""

_LOOK_S = 0.2
_NAME = "batcher-store"


class GivenUpError(Exception):
    """Nobody waits any more for what was begun."""


def never() -> bool:
    """Wait on."""
    return False


def begun(work: Callable[[], Value]) -> Future[Value]:
    """Begin `work` in a thread that no exit of the process waits for."""
    done: Future[Value] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, name=_NAME, daemon=True).start()
    return done


def at_work() -> bool:
    """Tell whether something that was begun has not ended, though nobody may wait for it."""
    return any(thread.name == _NAME for thread in threading.enumerate())


def ended(done: Future[Value], seconds: float | None, stop: Stop = never) -> Value:
    """Return what came of it, and raise what it raised.

    Raises:
        TimeoutError: it did not end within `seconds`.
        GivenUpError: `stop` said so meanwhile.
    """
    until = None if seconds is None else time.monotonic() + seconds
    while not done.done():
        if stop():
            raise GivenUpError
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError(f"no answer within {seconds:.0f} s")
        look = None if stop is never else _LOOK_S
        # Interrupted by a signal, whose handler may raise.
        futures.wait([done], min((t for t in (left, look) if t is not None), default=None))
    return done.result()


def waited(work: Callable[[], Value], seconds: float | None = SECONDS, stop: Stop = never) -> Value:
    """Return what `work` does, within `seconds`; see `ended`."""
    return ended(begun(work), seconds, stop)
