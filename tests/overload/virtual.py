"""Hours of asyncio in seconds: an event loop whose clock jumps to the next timer.

Coroutines run as they are, with `asyncio.sleep` for their sleep and the loop's time for their
clock; nothing waits in earnest. No threads and no sockets: nothing from outside would be seen.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

# The wall clock at the loop's time 0.
EPOCH = 1_767_225_600.0

T = TypeVar("T")


class StuckError(RuntimeError):
    """Every task waits for something that can no longer happen."""


class _Skipping(selectors.SelectSelector):
    """Waits for nothing: its time is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let `timeout` seconds pass.

        Raises:
            StuckError: there is no timer to wait for.
        """
        if timeout is None:
            raise StuckError("no task can go on, and no timer is left")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that starts at time 0 and skips every wait."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Return the seconds that have passed in this loop."""
        return self._skipping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in virtual time.

    Raises:
        StuckError: it waits for something that can no longer happen.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def monotonic() -> float:
    """Return the running loop's time."""
    return asyncio.get_running_loop().time()


def clock() -> float:
    """Return the wall clock that goes with the running loop's time, in Unix seconds."""
    return EPOCH + monotonic()


def seeded(seed: int) -> random.Random:
    """Return chance that is the same in every run."""
    return random.Random(seed)  # noqa: S311 -- a model, no secret
