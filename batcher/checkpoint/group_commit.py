"""The one consumer of outcomes: records them in groups, then tells who watches.

A group is committed when it has 256 rows or its first row has waited 100 ms: one fsync serves
many rows, and a loss of power costs no more than that (reliability.md promise 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from batcher.records import Outcome

MAX_ROWS = 256
MAX_DELAY_S = 0.1


class GroupCommit:
    """Collects outcomes and commits them off the event loop, one group after the other."""

    def __init__(
        self,
        commit: Callable[[Sequence[Outcome]], None],
        on_recorded: Callable[[Outcome], None],
        *,
        max_rows: int = MAX_ROWS,
        max_delay: float = MAX_DELAY_S,
    ) -> None:
        """Commit groups by `commit` (called in a thread); tell `on_recorded` of each row after."""
        self._commit = commit
        self._on_recorded = on_recorded
        self._max_rows = max_rows
        self._max_delay = max_delay
        # Bounded, so that a slow disk slows the calls down instead of filling the memory.
        self._queue: asyncio.Queue[Outcome | None] = asyncio.Queue(2 * max_rows)

    async def put(self, outcome: Outcome) -> None:
        """Hand over an outcome; waits while the disk is behind."""
        await self._queue.put(outcome)

    async def close(self) -> None:
        """Say that nothing more will come; `run` ends when all is recorded."""
        await self._queue.put(None)

    async def run(self) -> None:
        """Record until closed.

        Raises:
            StorageError: a commit failed; it is not tried again (promise 5).
        """
        open_ = True
        while open_:
            group = [await self._queue.get()]
            try:
                async with asyncio.timeout(self._max_delay):
                    while group[-1] is not None and len(group) < self._max_rows:
                        group.append(await self._queue.get())
            except TimeoutError:
                pass
            outcomes = [outcome for outcome in group if outcome is not None]
            open_ = len(outcomes) == len(group)
            if outcomes:
                await asyncio.to_thread(self._commit, outcomes)
            for outcome in outcomes:
                self._on_recorded(outcome)
