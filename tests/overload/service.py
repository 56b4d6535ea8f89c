"""Jobs that share a server: how long each takes depends on how many there are."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.overload.ledger import Steps
from tests.overload.virtual import monotonic

# (jobs being served, now) -> seconds of unloaded work that each of them gets a second.
Pace = Callable[[int, float], float]

_SECONDS_FLOAT_CANNOT_TELL = 1e-9


def steady(jobs: int, now: float) -> float:  # noqa: ARG001 -- as a Pace is called
    """Serve every job as if it were alone."""
    return 1.0


def batching(knee: Steps, sharpness: float = 8.0) -> Pace:
    """Serve up to about `knee` jobs at full speed; beyond, they share what that many would get.

    The total output never falls, as that of vLLM's continuous batching; the bend is soft.
    """

    def pace(jobs: int, now: float) -> float:
        return float((1 + (jobs / knee(now)) ** sharpness) ** (-1 / sharpness))

    return pace


def collapsing(knee: Steps) -> Pace:
    """Serve up to `knee` jobs at full speed; beyond, the total output falls as they become more."""

    def pace(jobs: int, now: float) -> float:
        return min(1.0, (knee(now) / jobs) ** 2)

    return pace


@dataclass(slots=True)
class Service:
    """Serves jobs together, at most `slots` of them at once; the others wait in order."""

    pace: Pace = steady
    slots: Steps | None = None
    _waiting: deque[tuple[float, asyncio.Future[None]]] = field(default_factory=deque)
    _served: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    _jobs: int = 0
    # Unloaded seconds of work that a job has got which was there from the start, and as of when.
    _work: float = 0.0
    _as_of: float = 0.0
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _timer: asyncio.TimerHandle | None = None

    async def serve(self, seconds: float) -> None:
        """Serve a job that would take `seconds` if it were alone; cancelled, it leaves."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((seconds, done))
        self._go_on()
        try:
            await done
        finally:
            if done.cancelled():
                self._leave(done)

    def _leave(self, gone: asyncio.Future[None]) -> None:
        self._catch_up()
        if any(done is gone for _, _, done in self._served):
            self._served = [job for job in self._served if job[2] is not gone]
            heapq.heapify(self._served)
            self._jobs -= 1
        self._waiting = deque(job for job in self._waiting if job[1] is not gone)
        self._go_on()

    def _catch_up(self) -> None:
        now = monotonic()
        if self._jobs:
            self._work += (now - self._as_of) * self.pace(self._jobs, self._as_of)
        self._as_of = now

    def _go_on(self) -> None:
        """Let go what is done, take on what waits, and come back when the next is done."""
        self._catch_up()
        while self._served and self._served[0][0] <= self._work + _SECONDS_FLOAT_CANNOT_TELL:
            *_, done = heapq.heappop(self._served)
            self._jobs -= 1
            if not done.done():
                done.set_result(None)
        slots = self.slots(self._as_of) if self.slots else len(self._waiting) + self._jobs
        while self._waiting and self._jobs < slots:
            seconds, done = self._waiting.popleft()
            heapq.heappush(self._served, (self._work + seconds, next(self._numbers), done))
            self._jobs += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._served:
            left = (self._served[0][0] - self._work) / self.pace(self._jobs, self._as_of)
            self._timer = asyncio.get_running_loop().call_later(left, self._go_on)
