"""Calls made by the engine in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from batcher.engine.pool import ROWS_PER_PERMIT, run_pool
from batcher.engine.retry import Put, Retrier, RowPendingError, RunStoppedError
from batcher.errors import ProviderError
from batcher.records import Completion, Request


class _StoppingError(RowPendingError):
    """The run stops before the row's next attempt."""


@dataclass(slots=True)
class LocalExecutor:
    """Runs requests through one retrier until they are used up or the run stops."""

    retrier: Retrier
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    stopped_by: ProviderError | None = None

    @property
    def width(self) -> int:
        """Rows that may be unfinished at once: in flight, or waiting for another attempt."""
        return ROWS_PER_PERMIT * self.retrier.limiter.limit

    @property
    def in_flight(self) -> int:
        """Calls that have been sent and whose answer is not written down yet."""
        return self.retrier.limiter.in_flight

    async def run(self, requests: AsyncIterator[Request], put: Put) -> None:
        """Hand the outcome of each request to `put`.

        A run-fatal error stops the dispatch (`stopped_by` holds it); calls that are in flight
        then still end, for they may be paid, and rows between two attempts stay pending.
        """
        retrier = replace(self.retrier, call=self._call, sleep=self._sleep)

        async def settle(request: Request) -> None:
            try:
                await retrier.settle(request, put)
            except RunStoppedError as stop:
                self.stopped_by = self.stopped_by or stop.error
                self.stopping.set()
                raise

        await run_pool(requests, settle, width=self.width, stopping=self.stopping)

    async def _call(self, request: Request, request_id: str) -> Completion:
        """Call, unless the run stopped while the row waited for its permit."""
        if self.stopping.is_set():
            raise _StoppingError
        return await self.retrier.call(request, request_id)

    async def _sleep(self, seconds: float) -> None:
        """Back off, unless the run stops meanwhile."""
        stop = asyncio.ensure_future(self.stopping.wait())
        backoff = asyncio.ensure_future(self.retrier.sleep(seconds))
        try:
            await asyncio.wait({stop, backoff}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            backoff.cancel()
        if self.stopping.is_set():
            raise _StoppingError
