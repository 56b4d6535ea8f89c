"""Room for requests: an account's places and rates, and the queue before a model."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from batcher.simulator.codes import RefusedError
from batcher.simulator.config import SimulatorConfig
from batcher.simulator.rates import Bucket, Rates
from batcher.simulator.schedule import Schedule

Places = Callable[[], int]
"""Returns how many places there are now."""


class Queue:
    """Serves so many at once, and lets the others wait for their turn in the order they came.

    Places that a change adds are given away when the next one becomes free.
    """

    __slots__ = ("_places", "_served", "_waiting")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._served = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Return when it is one's turn; whoever entered must leave."""
        if not self._waiting and self._served < self._places():
            self._served += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave()  # the turn came in the very moment in which the client left
            raise

    def leave(self) -> None:
        """Make room for the next."""
        self._served -= 1
        while self._waiting and self._served < self._places():
            turn = self._waiting.popleft()
            if not turn.done():  # done: its client has left
                self._served += 1
                turn.set_result(None)


class Account:
    """What one key may ask of one model (protocol.md section 4), and how much of it is taken.

    `places` is the limit of requests in flight; None sets none. The queue is shared with the
    other keys.
    """

    __slots__ = ("_in_flight", "_places", "_queue", "rates")

    def __init__(self, places: Places | None, rates: Rates, queue: Queue | None) -> None:
        self._places = places
        self._queue = queue
        self._in_flight = 0
        self.rates = rates

    async def admit(self, tokens: int, now: float, held: ExitStack) -> None:
        """Take a place, which `held` gives back, and return when it is the request's turn.

        Raises:
            RefusedError: 1302, no place is free; 1303, a limit a minute is used up.
        """
        if self._places is not None and self._in_flight >= self._places():
            raise RefusedError("1302")
        if not self.rates.take(tokens, now):
            raise RefusedError("1303")
        self._in_flight += 1
        held.callback(self._leave)
        if self._queue is not None:
            await self._queue.enter()
            held.callback(self._queue.leave)

    def _leave(self) -> None:
        self._in_flight -= 1


class Capacity:
    """All accounts and queues of a service that started now, by `clock`."""

    __slots__ = ("_accounts", "_asked_by", "_clock", "_config", "_queues", "_schedule")

    def __init__(self, config: SimulatorConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._schedule = Schedule(config.outages, config.changes, clock())
        self._accounts: dict[tuple[str, str], Account] = {}
        self._queues: dict[str, Queue] = {}
        self._asked_by: Counter[str] = Counter()

    def fault(self, key_id: str) -> str | None:
        """Return the fault that a request meets before any limit: an outage's, or its key's.

        The call counts as one request of the key, unless there is an outage.
        """
        fault = self._schedule.fault(self._clock())
        if fault is None and key_id in self._config.key_faults:
            self._asked_by[key_id] += 1
            most, then = self._config.key_faults[key_id]
            fault = then if self._asked_by[key_id] > most else None
        return fault

    def account(self, key_id: str, model: str) -> Account:
        """Return the account of a key for a model."""
        account = self._accounts.get((key_id, model))
        if account is None:
            limit = self._config.limit_of(model)
            places = None if limit is None else self._places(limit)
            account = Account(places, self._rates(), self._queue(model))
            self._accounts[key_id, model] = account
        return account

    def _places(self, number: int) -> Places:
        return lambda: self._schedule.scaled(number, self._clock())

    def _rates(self) -> Rates:
        bucket = partial(Bucket, now=self._clock())
        rpm, tpm = self._config.rpm, self._config.tpm
        return Rates(bucket(rpm) if rpm else None, bucket(tpm) if tpm else None)

    def _queue(self, model: str) -> Queue | None:
        if self._config.queue is None:
            return None
        if model not in self._queues:
            self._queues[model] = Queue(self._places(self._config.queue))
        return self._queues[model]
