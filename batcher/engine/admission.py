"""The gate of the engine: who may call, by which key, and when.

Rows wait here in order. A row is let through when a lane of its model (a key, with the limits that
hold for it) has room and no ceiling forbids it. How calls ended comes back here, and what that
means is decided here: a pause, an outage, a key that is set aside, the end of the run. The rules
are in `policy`, which has neither clock nor waiting; both are here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

from batcher.engine.policy.lane import Account, Lane, Pass
from batcher.engine.policy.spending import NOTHING, Bill, Spending
from batcher.errors import Halt
from batcher.limits import Flow
from batcher.wording import lasting

# Rows that back off or wait hold no permit; but what is pulled and not finished stays bounded,
# and with it the memory and the work that a crash repeats. In an outage the few at hand take turns
# as probes.
ROWS_PER_CALL = 2
LEAST_ROWS = 64
_FIRST_BOUND = 16


class RowPendingError(Exception):
    """The row has no outcome for now and stays pending."""


class RunStoppedError(RowPendingError):
    """No further call can be made, or would help."""


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
    written down.
    """

    lane: Lane
    way: Pass
    wish: Wish
    spent: Bill | None = None
    ended: bool = False


@dataclass(slots=True, eq=False)
class _Waiter:
    wish: Wish
    granted: asyncio.Future[Permit]


OpenLane = Callable[[Account, str], Lane]


@dataclass(slots=True)
class Admission:
    """Lets calls through by the lanes of `accounts`, which `open_lane` makes as models come up.

    At most `calls` permits are held at once, whatever the lanes allow. `on_halt` hears why no more can
    be made; `on_widen` hears of how many there may be, before there are more than it knew of.
    """

    accounts: Sequence[Account]
    open_lane: OpenLane
    spending: Spending
    calls: int
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    on_halt: Callable[[Halt], None]
    on_widen: Callable[[int], None] = lambda _calls: None
    in_flight: int = 0
    peak: int = 0
    _bound: int = 0
    _lanes: dict[str, tuple[Lane, ...]] = field(default_factory=dict)
    _queues: dict[tuple[str, ...], deque[_Waiter]] = field(default_factory=dict)
    _closed: bool = False
    _due: float = inf
    _timer: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def admitted(self, wish: Wish) -> AsyncIterator[Permit]:
        """Wait for a permit and hold it for the length of an `async with` block.

        Whoever gets it reports how the call ended by `spent` of the permit; without a report the
        worst case counts as spent.

        Raises:
            RunStoppedError: no more calls are made.
        """
        permit = await self._entered(wish)
        try:
            yield permit
        finally:
            self._leave(permit)

    def close(self) -> None:
        """Let nobody through any more; those who wait leave without a call."""
        self._closed = True
        for queue in self._queues.values():
            while queue:
                waiter = queue.popleft()
                if not waiter.granted.done():
                    waiter.granted.set_exception(RunStoppedError())
        self._disarm()

    def lanes(self, model: str) -> tuple[Lane, ...]:
        """Return the lanes that lead to `model`, one for each account."""
        found = self._lanes.get(model)
        if found is None:
            found = tuple(self.open_lane(account, model) for account in self.accounts)
            self._lanes[model] = found
        return found

    def by_model(self) -> Collection[tuple[Lane, ...]]:
        """Return the lanes of every model that came up."""
        return self._lanes.values()

    def halt(self, halt: Halt) -> None:
        """Make no more calls."""
        self.close()
        self.on_halt(halt)

    def look_again(self) -> None:
        """Let those through for whom something changed."""
        if self._closed:
            return
        soonest = min((self._let_through(queue) for queue in self._queues.values()), default=inf)
        if soonest < inf:
            self._arm(self.monotonic() + soonest)

    @property
    def width(self) -> int:
        """Rows that may be unfinished at once."""
        lanes = [lane for lanes in self.by_model() for lane in lanes if lane.is_usable]
        calls = sum(lane.limit.limit for lane in lanes)
        # Each failed probe lets one more in: the rows at hand may be what is wrong.
        probes = sum(lane.breaker.failed_probes for lane in lanes)
        return max(LEAST_ROWS, ROWS_PER_CALL * calls) + probes

    def flow(self) -> Flow:
        """Return how calls flow now."""
        now = self.monotonic()
        lanes = [lane for lanes in self.by_model() for lane in lanes if lane.is_usable]
        held = [text for lane in lanes if (text := _held(lane, now)) is not None]
        waiting = held[0] if held and len(held) == len(lanes) else None
        limit = min(self.calls, sum(lane.limit.limit for lane in lanes))
        return Flow(self.in_flight, limit, waiting)

    async def _entered(self, wish: Wish) -> Permit:
        if self._closed:
            raise RunStoppedError
        queue = self._queues.setdefault(wish.models, deque())
        waiter = _Waiter(wish, asyncio.get_running_loop().create_future())
        queue.append(waiter)
        if len(queue) == 1:
            self.look_again()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if waiter in queue:
                queue.remove(waiter)
            elif waiter.granted.done() and not waiter.granted.cancelled():
                permit = waiter.granted.result()
                permit.spent = NOTHING
                permit.lane.breaker.abandoned()
                self._leave(permit)
            raise

    def end(self, permit: Permit) -> None:
        """Let another call take the lane; may be said more than once."""
        if not permit.ended:
            permit.ended = True
            permit.lane.leave()
            self.look_again()

    def _leave(self, permit: Permit) -> None:
        self.in_flight -= 1
        worst = permit.wish.worst
        self.spending.settle(worst, worst if permit.spent is None else permit.spent)
        self.end(permit)
        self.look_again()

    def _let_through(self, queue: deque[_Waiter]) -> float:
        """Let through whom nothing holds; return the seconds until the next may pass."""
        while queue and self.in_flight < self.calls:
            if queue[0].granted.done():
                # Its row was cancelled, and has not got to leaving the queue.
                queue.popleft()
                continue
            lane, wait = self._next_lane(queue[0].wish.models)
            if lane is None:
                return wait
            waiter = _probe_of(queue) if lane.breaker.is_open else queue[0]
            if waiter is None:
                return inf
            wish = waiter.wish
            if (ceiling := self.spending.refuses(wish.worst)) is not None:
                if self.spending.is_idle:
                    self.halt(Halt(ceiling.reached))
                return inf
            self.spending.reserve(wish.worst)
            queue.remove(waiter)
            self._count()
            tokens = lane.forecast.tokens(wish.prompt, wish.most)
            way = lane.admit(self.monotonic(), tokens)
            waiter.granted.set_result(Permit(lane, way, wish))
        return inf

    def _count(self) -> None:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        if self.in_flight > self._bound:
            self._bound = min(self.calls, max(_FIRST_BOUND, 2 * self.in_flight))
            self.on_widen(self._bound)

    def _next_lane(self, models: tuple[str, ...]) -> tuple[Lane | None, float]:
        """Return the lane that a call may take now, or the seconds until there may be one."""
        now = self.monotonic()
        soonest = inf
        for model in models:
            lanes = [lane for lane in self.lanes(model) if lane.is_usable]
            waits = [(lane.wait(now), lane.in_flight / lane.limit.limit, lane) for lane in lanes]
            wait, _, lane = min(waits, key=lambda found: found[:2], default=(inf, 0.0, None))
            if wait <= 0:
                return lane, 0.0
            soonest = min(soonest, wait)
            if any(not lane.breaker.is_open for lane in lanes):
                break
        return None, soonest

    def _arm(self, due: float) -> None:
        """Look again at `due`, or before."""
        if due >= self._due:
            return
        self._disarm()
        self._due = due
        self._timer = asyncio.create_task(self._look_later(due))

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._due = inf

    async def _look_later(self, due: float) -> None:
        await self.sleep(due - self.monotonic())
        self._timer = None
        self._due = inf
        self.look_again()


def _probe_of(queue: deque[_Waiter]) -> _Waiter | None:
    """Choose who asks whether the endpoint is back: a row that failed as little as possible."""
    fit = [waiter for waiter in queue if not (waiter.wish.last_chance or waiter.granted.done())]
    return min(fit, key=lambda waiter: waiter.wish.tries, default=None)


def _held(lane: Lane, now: float) -> str | None:
    """Say what keeps a lane from calling, if anything does but its limits."""
    if (since := lane.breaker.since) is not None:
        down = f"endpoint down for {lasting(now - since)}"
        wait = lane.breaker.wait(now)
        return f"{down}, next probe in {lasting(wait)}" if isfinite(wait) else f"{down}, probing"
    if lane.account.paused_until > now:
        return f"paused by the provider for another {lasting(lane.account.paused_until - now)}"
    return None
