"""Rows that wait to be let through, and what lets them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf

from batcher.engine.policy.lane import Lane, Pass
from batcher.engine.policy.spending import Bill

# Waits that rounding left over would be waited for without end by a clock that stands still.
_LEAST_WAIT_S = 0.001


@dataclass(frozen=True, slots=True)
class Wish:
    """A call that a row wants to make.

    `models` are those that may answer it, the first one first: the next only while the endpoint
    is down for those before. `prompt` estimates its tokens, `most` is the longest answer that it
    asks for. `tries` counts its failures, and `last_chance` says that it must not be lost again:
    such a row is no probe.
    """

    models: tuple[str, ...]
    prompt: int
    most: int | None
    worst: Bill
    tries: int
    last_chance: bool


@dataclass(slots=True, eq=False)
class Permit:
    """Leave to make one call by `lane`.

    Once the call has `ended` the lane has room for another; the permit is held until its answer is
    written down. `token` numbers the token that the call signs in with, or an earlier one. `judged`
    says that it was heard how the call ended, and `spent` what it cost, None for its worst case.
    `attempt` is the id of its request, by which its answer takes room.
    """

    lane: Lane
    way: Pass
    wish: Wish
    token: int = 0
    ended: bool = False
    judged: bool = False
    spent: Bill | None = None
    attempt: str | None = None


@dataclass(slots=True, eq=False)
class Waiter:
    """A row that waits until it is `granted` a permit; the `number`-th of all that came."""

    number: int
    wish: Wish
    granted: asyncio.Future[Permit]


@dataclass(slots=True)
class Queue:
    """Rows that want the same models, in the order in which they came.

    Who has been granted a permit, or was cancelled, is in it no more.
    """

    models: tuple[str, ...]
    _waiters: deque[Waiter] = field(default_factory=deque)

    @property
    def first(self) -> Waiter | None:
        """The row that has waited longest, if any waits."""
        # Those who left are dropped here, all at once, rather than each searched for as it goes.
        while self._waiters and self._waiters[0].granted.done():
            self._waiters.popleft()
        return self._waiters[0] if self._waiters else None

    def join(self, waiter: Waiter) -> None:
        """Wait behind all others."""
        self._waiters.append(waiter)

    def probe(self) -> Waiter | None:
        """Choose who asks whether the endpoint is back: a row that failed as little as possible.

        None where all that wait are on their last chance.
        """
        waiting = (waiter for waiter in self._waiters if not waiter.granted.done())
        fit = (waiter for waiter in waiting if not waiter.wish.last_chance)
        return min(fit, key=lambda waiter: waiter.wish.tries, default=None)

    def dismiss(self, why: BaseException) -> None:
        """Let all leave without a permit; each hears `why`."""
        while (waiter := self.first) is not None:
            waiter.granted.set_exception(why)


@dataclass(slots=True)
class Alarm:
    """Rings once, at the earliest of the moments (monotonic) that it was set to.

    `on_ring` hears of it, or of the error that `sleep` ended with instead.
    """

    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    on_ring: Callable[[BaseException | None], None]
    _due: float = inf
    _timer: asyncio.Future[None] | None = None

    def set(self, due: float) -> None:
        """Ring at `due`, or before."""
        if due > self._due - _LEAST_WAIT_S:
            return
        self.stop()
        self._due = due
        wait = max(due - self.monotonic(), _LEAST_WAIT_S)
        self._timer = asyncio.ensure_future(self.sleep(wait))
        self._timer.add_done_callback(self._rang)

    def stop(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._due = inf

    def _rang(self, timer: asyncio.Future[None]) -> None:
        if timer.cancelled():
            return
        self.stop()
        self.on_ring(timer.exception())
