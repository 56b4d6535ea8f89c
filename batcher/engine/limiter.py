"""How many calls may be in flight at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Limiter:
    """Hands out at most `limit` permits; a permit is held only while a call is in flight."""

    def __init__(self, limit: int) -> None:
        """Allow `limit` calls at once (at least 1)."""
        self.limit = limit
        self.in_flight = 0
        self._permits = asyncio.Semaphore(limit)

    @contextlib.asynccontextmanager
    async def permit(self) -> AsyncIterator[None]:
        """Hold a permit for the length of an `async with` block, waiting for one first."""
        async with self._permits:
            self.in_flight += 1
            try:
                yield
            finally:
                self.in_flight -= 1
