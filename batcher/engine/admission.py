"""The gate of the engine: who may call, by which key, and when.

Rows wait here in order. A row is let through when a lane of its model (a key, with the limits that
hold for it) has room and no ceiling forbids it. How calls ended comes back here, and what that
means is decided by the judge: a pause, an outage, a key that is set aside, the end of the run. The
rules are in `policy`, which has neither clock nor waiting; both are here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from math import inf

from batcher.engine.policy.lane import Account, Lane
from batcher.engine.policy.spending import NOTHING, Spending
from batcher.engine.room import Room
from batcher.engine.waiting import Alarm, Permit, Queue, Waiter, Wish
from batcher.errors import Halt
from batcher.limits import Flow

# Rows that back off or wait hold no permit; but what is pulled and not finished stays bounded,
# and with it the memory and the work that a crash repeats. In an outage the few at hand take turns
# as probes.
ROWS_PER_CALL = 2
LEAST_ROWS = 256
# A row that failed is back here after so long at most.
MAX_BACKOFF_S = 60.0
# Calls let through in one turn of the loop: each encodes and connects, and meanwhile no answer is
# taken in.
BURST = 16
_FIRST_BOUND = 16

_NO_PROBE = Halt(
    "The endpoint is down, and each row left may be sent only once more: none is risked to ask "
    "whether it is back. The same command goes on once it is."
)


class RowPendingError(Exception):
    """The row has no outcome for now and stays pending."""


class RunStoppedError(RowPendingError):
    """No further call can be made, or would help."""


OpenLane = Callable[[Account, str], Lane]


@dataclass(slots=True)
class Admission:
    """Lets calls through by the lanes of `accounts`, which `open_lane` makes as models come up.

    At most `calls` permits are `held` at once, whatever the lanes allow; `peak` is how many calls
    were in flight. `on_halt` hears why no more calls can be made; `widen` is asked whether so many
    may be held, and told how many more there soon may be. What they raise, all that wait raise.
    Calls are held until their answers leave `room`.
    """

    accounts: Sequence[Account]
    open_lane: OpenLane
    spending: Spending
    calls: int
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    on_halt: Callable[[Halt], None]
    widen: Callable[[int, int], bool] = lambda _calls, _soon: True
    room: Room = field(default_factory=Room)
    held: int = 0
    peak: int = 0
    _arrivals: int = 0
    _left_at: float = -inf
    _burst: int = 0
    _lanes: dict[str, tuple[Lane, ...]] = field(default_factory=dict)
    _queues: dict[tuple[str, ...], Queue] = field(default_factory=dict)
    _closed: bool = False
    _alarm: Alarm = field(init=False)

    def __post_init__(self) -> None:
        """Set up the timer by which it looks again."""
        self._alarm = Alarm(self.monotonic, self.sleep, self._rang)

    def admitted(self, wish: Wish) -> Admitted:
        """Wait for a permit and hold it for the length of an `async with` block.

        Whoever gets it reports how the call ended by `spent` of the permit; without a report the
        worst case counts as spent.

        Raises:
            RunStoppedError: no more calls are made.
        """
        return Admitted(self, wish)

    def close(self) -> None:
        """Let nobody through any more; those who wait leave without a call."""
        self._closed = True
        self._dismiss(RunStoppedError())
        self._alarm.stop()

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
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 -- whoever waits hears of it; a timer can tell nobody
            self._dismiss(error)

    @property
    def in_flight(self) -> int:
        """Calls that the endpoint has not answered yet."""
        return sum(lane.in_flight for lanes in self.by_model() for lane in lanes)

    @property
    def width(self) -> int:
        """Rows that may be unfinished at once."""
        lanes = self._usable()
        calls = min(self.calls, sum(lane.limit.limit for lane in lanes))
        # Each failed probe lets one more in: the rows at hand may be what is wrong.
        probes = sum(lane.breaker.failed_probes for lane in lanes)
        return max(LEAST_ROWS, ROWS_PER_CALL * calls) + probes

    def flow(self) -> Flow:
        """Return how calls flow now."""
        now = self.monotonic()
        lanes = self._usable()
        held = [text for lane in lanes if (text := lane.held(now)) is not None]
        waiting = held[0] if held and len(held) == len(lanes) else None
        limit = min(self.calls, sum(lane.limit.limit for lane in lanes))
        return Flow(self.in_flight, limit, waiting)

    def _usable(self) -> list[Lane]:
        return [lane for lanes in self.by_model() for lane in lanes if lane.is_usable]

    async def enter(self, wish: Wish) -> Permit:
        """Wait for a permit, which must `leave` again; see `admitted`."""
        if self._closed:
            raise RunStoppedError
        self._arrivals += 1
        waiter = Waiter(self._arrivals, wish, asyncio.get_running_loop().create_future())
        self._queues.setdefault(wish.models, Queue(wish.models)).join(waiter)
        self.look_again()
        granted = waiter.granted
        try:
            return await granted
        except asyncio.CancelledError:
            if not granted.cancelled() and granted.exception() is None:
                permit = granted.result()
                permit.spent = NOTHING
                self.leave(permit)
            else:
                # Those behind it may need less than it did.
                self.look_again()
            raise

    def end(self, permit: Permit) -> None:
        """Let another call take the lane; whatever else the permit stands for is held."""
        self._vacate(permit)
        self.look_again()

    def _vacate(self, permit: Permit) -> None:
        if not permit.ended:
            permit.ended = True
            permit.lane.leave()

    def leave(self, permit: Permit) -> None:
        """Give a permit back."""
        self.held -= 1
        if permit.attempt is not None:
            self.room.leave(permit.attempt)
        self._left_at = self.monotonic()
        self._vacate(permit)
        if permit.way.probe and not permit.judged:
            permit.lane.breaker.abandoned()
        worst = permit.wish.worst
        self.spending.settle(worst, worst if permit.spent is None else permit.spent)
        self.look_again()

    def _dismiss(self, why: BaseException) -> None:
        for queue in self._queues.values():
            queue.dismiss(why)
        self._queues = {}

    def _look(self) -> None:
        """Let through whom nothing holds: of several queues, who came first."""
        self._queues = {models: queue for models, queue in self._queues.items() if queue.first}
        if not self._queues:
            return
        queues = list(self._queues.values())
        soonest = inf
        while self.held < min(self.calls, self.room.calls) and self._burst < BURST:
            firsts = [(waiter.number, queue) for queue in queues if (waiter := queue.first)]
            _, queue = min(firsts, key=lambda first: first[0], default=(0, None))
            if queue is None:
                break
            wait = self._let_one_through(queue)
            if wait > 0:
                soonest = min(soonest, wait)
                queues.remove(queue)
        if soonest < inf and not self._closed:
            self._alarm.set(self.monotonic() + soonest)

    def _let_one_through(self, queue: Queue) -> float:
        """Let a row of `queue` through; where none may go, return the seconds until one may."""
        found = self._next(queue)
        if not isinstance(found, tuple):
            return found
        lane, waiter = found
        wish = waiter.wish
        if (ceiling := self.spending.refuses(wish.worst)) is not None:
            if self.spending.is_idle:
                self.halt(Halt(ceiling.reached, ceiling=True))
            return inf
        # Both may fail, as they write: first, while there is nothing to take back. Once they have
        # written, whoever told them to does `look_again`.
        may_hold, may_spend = self._may_hold(self.held + 1), self.spending.covers(wish.worst)
        if not (may_hold and may_spend):
            return inf
        self.spending.reserve(wish.worst)
        self.held += 1
        tokens = lane.forecast.tokens(wish.prompt, wish.most)
        way = lane.admit(self.monotonic(), tokens)
        self.peak = max(self.peak, self.in_flight)
        if not self._burst:
            asyncio.get_running_loop().call_soon(self._turn)
        self._burst += 1
        waiter.granted.set_result(Permit(lane, way, wish, lane.account.renewals))
        return 0.0

    def _turn(self) -> None:
        full, self._burst = self._burst >= BURST, 0
        if full:
            self.look_again()

    def _may_hold(self, calls: int) -> bool:
        return self.widen(calls, min(self.calls, max(_FIRST_BOUND, 2 * calls)) - calls)

    def _next(self, queue: Queue) -> tuple[Lane, Waiter] | float:
        """Return which row goes by which lane now, or the seconds until one may."""
        now = self.monotonic()
        soonest, unasked = inf, False
        for model in queue.models:
            lanes = [lane for lane in self.lanes(model) if lane.is_usable]
            ready = []
            for lane in lanes:
                wait = lane.wait(now)
                if wait > 0:
                    soonest = min(soonest, wait)
                else:
                    ready.append(lane)
            for lane in sorted(ready, key=lambda lane: lane.in_flight / lane.limit.limit):
                waiter = queue.probe() if lane.breaker.is_open else queue.first
                if waiter is not None:
                    return lane, waiter
                unasked = True
            if not all(lane.breaker.is_open for lane in lanes):
                break
        if unasked and soonest == inf and not self.held:
            return self._patience(now)
        return soonest

    def _patience(self, now: float) -> float:
        """Return the seconds to wait for a row that may be a probe; halt where none can come."""
        left = self._left_at + MAX_BACKOFF_S - now
        if left <= 0:
            self.halt(_NO_PROBE)
            return inf
        return left

    def _rang(self, error: BaseException | None) -> None:
        if error is None:
            self.look_again()
        else:
            self._dismiss(error)


@dataclass(slots=True)
class Admitted:
    """A permit for the length of an `async with` block.

    A class, for contextlib's generators cost as much as the whole gate.
    """

    gate: Admission
    wish: Wish
    permit: Permit = field(init=False)

    async def __aenter__(self) -> Permit:
        """Wait for it."""
        self.permit = await self.gate.enter(self.wish)
        return self.permit

    async def __aexit__(self, *_: object) -> None:
        """Give it back."""
        self.gate.leave(self.permit)
