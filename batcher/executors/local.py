"""Calls made by the engine in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from batcher.engine.admission import Admission, RunStoppedError
from batcher.engine.pool import run_pool
from batcher.engine.retry import Put, Retrier
from batcher.engine.sharing import Leaders, Shared, shared_outcome
from batcher.errors import Halt
from batcher.limits import Concurrency, Flow
from batcher.records import InvalidAnswer, Kept, Request


@dataclass(slots=True)
class LocalExecutor:
    """Runs requests through one retrier until they are used up or the run stops.

    `halted` says why it stopped by itself. `leaders` knows which rows are called for others too.
    """

    retrier: Retrier
    leaders: Leaders = field(default_factory=Leaders)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    halted: Halt | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def admission(self) -> Admission:
        """The gate that all calls go through."""
        return self.retrier.admission

    @property
    def width(self) -> int:
        """Rows that may be unfinished at once: in flight, or waiting for an attempt."""
        return self.admission.width

    @property
    def in_flight(self) -> int:
        """Calls that have been sent and whose answer is not written down yet."""
        return self.admission.held

    def flow(self) -> Flow:
        """Return how the calls flow now."""
        return self.admission.flow()

    def concurrency(self, *, fixed: bool) -> Concurrency:
        """Return how many calls were in flight in all."""
        lanes = [lane for lanes in self.admission.by_model() for lane in lanes]
        throttled = sum(lane.throttled for lane in lanes)
        return Concurrency(self.admission.peak, self.flow().limit, throttled, fixed)

    async def run(self, requests: AsyncIterator[Request | Shared], put: Put) -> None:
        """Hand the outcome of each request to `put`.

        Those that share an outcome are not called. A row that leads is `left` in every case, so
        that none wait for it in vain. Once the run stops, calls that are in flight still end, for
        they may be paid, and rows that wait stay pending.
        """
        retrier = replace(self.retrier, sleep=self._sleep)

        async def put_and_hand_on(kept: Kept) -> None:
            await put(kept)
            if not isinstance(kept, InvalidAnswer):
                self.leaders.wrote(kept)

        async def settle(row: Request | Shared) -> None:
            if isinstance(row, Shared):
                outcome = await row.outcome()
                await put(shared_outcome(outcome, retrier.row_of(row.request), retrier.clock()))
            elif row.content is None:
                await retrier.settle(row, put)
            else:
                try:
                    await retrier.settle(row, put_and_hand_on)
                finally:
                    self.leaders.left(row)

        try:
            await run_pool(
                requests,
                settle,
                width=lambda: self.width,
                changed=self._changed,
                stopping=self.stopping,
            )
        finally:
            self.stop()

    def end_with(self, halt: Halt) -> None:
        """Say why no further row comes; those that came still get their outcome."""
        self.halted = self.halted or halt

    def stop(self, halt: Halt | None = None) -> None:
        """Begin no further call; `halt` says why, if the run stops by itself. The first counts."""
        self.halted = self.halted or halt
        self.stopping.set()
        self.admission.close()

    async def _sleep(self, seconds: float) -> None:
        """Back off, unless the run stops meanwhile."""
        # How a call failed may let more rows in, though none has ended.
        self._changed.set()
        if seconds <= 0:
            return
        stop = asyncio.ensure_future(self.stopping.wait())
        backoff = asyncio.ensure_future(self.retrier.sleep(seconds))
        try:
            await asyncio.wait({stop, backoff}, return_when=asyncio.FIRST_COMPLETED)
            if self.stopping.is_set():
                raise RunStoppedError
            await backoff
        finally:
            stop.cancel()
            backoff.cancel()
