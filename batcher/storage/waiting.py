"""Work on a store, waited for in a way that a signal or a clock can end.

Libraries in C++ hear of no signal before they return, and not all of them can be told how long to
wait. So they work in a thread of their own, which is left alone when nobody waits for it any more:
what it was about to write is not there until it is whole. No signal becomes an exception there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Value = TypeVar("Value")


def waited(work: Callable[[], Value], seconds: float | None = None) -> Value:
    """Return what `work` does, and raise what it raises.

    Raises:
        TimeoutError: it did not end within `seconds`.
    """
    done: Future[Value] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, name="store", daemon=True).start()
    try:
        return done.result(seconds)
    except TimeoutError:
        if done.done():
            raise
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None
