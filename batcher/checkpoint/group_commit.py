"""The one consumer of outcomes: records them in groups, then tells who watches.

A group is committed when it has 256 rows or its first row has waited 100 ms: one fsync serves
many rows, and a loss of power costs no more than that (reliability.md promise 3).
"""

from __future__ import annotations

import asyncio
import contextlib
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
        # None says that nothing more will come.
        self._queue: asyncio.Queue[Outcome | None] = asyncio.Queue()
        # Bounds what is not recorded yet, so that a slow disk slows the calls down instead of
        # filling the memory. Not the queue's own bound: `close` must never wait for a dead `run`.
        self._room = asyncio.Semaphore(2 * max_rows)
        self._closed = False

    async def put(self, outcome: Outcome) -> None:
        """Hand over an outcome; waits while the disk is behind."""
        await self._room.acquire()
        self._queue.put_nowait(outcome)

    async def close(self) -> None:
        """Say that nothing more will come; `run` ends when all is recorded."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        """Record until closed.

        Cancelled, it ends at once: a commit under way is still completed, what is not yet
        committed stays pending.

        Raises:
            StorageError: a commit failed; it is not tried again (promise 5).
        """
        while group := await self._next_group():
            await asyncio.to_thread(self._commit, group)
            for outcome in group:
                self._room.release()
                self._on_recorded(outcome)

    async def _next_group(self) -> list[Outcome]:
        """Wait for the outcomes of one commit; there are none only after the last of them."""
        group: list[Outcome] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as waiting:
                while not self._closed and len(group) < self._max_rows:
                    outcome = await self._queue.get()
                    if outcome is None:
                        self._closed = True
                        break
                    if not group:
                        waiting.reschedule(asyncio.get_running_loop().time() + self._max_delay)
                    group.append(outcome)
        return group
