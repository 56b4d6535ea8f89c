"""The one consumer of outcomes: writes them down at once, syncs them in groups, then tells.

What is written outlives this process, however it ends; what is synced outlives the machine. So
`put` returns when its outcome is written (reliability.md promise 2), while one fsync serves a
group: it is due when 256 rows wait for it, or the first has waited 100 ms (promise 3).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from batcher.records import InvalidAnswer, Kept, Outcome, Unanswered, without_long_texts

MAX_ROWS = 256
MAX_DELAY_S = 0.1


class GroupCommit:
    """Writes and syncs outcomes off the event loop, in a thread for each of the two."""

    def __init__(
        self,
        write: Callable[[Sequence[Kept], Sequence[Unanswered]], None],
        sync: Callable[[], None],
        on_recorded: Callable[[Outcome], None],
        *,
        each: bool = False,
        beat: float | None = None,
        max_rows: int = MAX_ROWS,
        max_delay: float = MAX_DELAY_S,
    ) -> None:
        """Write by `write` and sync by `sync`; tell `on_recorded` of each row after its sync.

        `write` gets outcomes, and the calls that were sent and not answered whole. With
        `each`, `put` waits for the sync, and no sync waits for a group. An empty `write` comes at
        least every `beat` seconds, so that others see the process live; None sends none.
        """
        self._write = write
        self._sync = sync
        self._on_recorded = on_recorded
        self._each = each
        self._beat = beat
        self._max_rows = max_rows
        self._max_delay = 0.0 if each else max_delay
        # Bounds what is not synced yet: a slow disk slows the calls down instead of filling the
        # memory, and a loss of power costs no more than this.
        self._room = asyncio.Semaphore(max_rows)
        self._arrived: list[_Handed] = []
        self._unanswered: list[Unanswered] = []
        self._written: list[_Handed] = []
        self._due = 0.0
        self._closed = False
        self._all_written = False
        self._arrival = asyncio.Event()
        self._any_written = asyncio.Event()
        self._hurry = asyncio.Event()

    async def put(self, kept: Kept) -> None:
        """Hand over an outcome, or an answer of no use, which nobody is told of.

        Returns when it is written, and waits while the disk is behind.
        """
        await self._room.acquire()
        handed = _Handed(kept)
        self._arrived.append(handed)
        self._arrival.set()
        await handed.safe.wait()

    def note(self, call: Unanswered) -> None:
        """Hand over that a call was sent and not answered whole."""
        self._unanswered.append(call)
        self._arrival.set()

    def close(self) -> None:
        """Say that nothing more will come; `run` ends when all is recorded."""
        self._closed = True
        self._arrival.set()

    async def run(self) -> None:
        """Record until closed.

        Cancelled, it ends as soon as a write or sync under way is completed; what has not been
        written stays pending.

        Raises:
            StorageError: a write or a sync failed; neither is tried again (promise 5).
            LockedError: another process has taken over.
        """
        with ThreadPoolExecutor(1, "writer") as writer, ThreadPoolExecutor(1, "syncer") as syncer:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._write_all(writer))
                    tasks.create_task(self._sync_all(syncer))
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None

    async def _write_all(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while self._arrived or self._unanswered or not self._closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat):
                    await self._arrival.wait()
            # One turn of the loop more: it costs an idle one no time, and a busy one brings others.
            await asyncio.sleep(0)
            self._arrival.clear()
            group, self._arrived = self._arrived, []
            unanswered, self._unanswered = self._unanswered, []
            if self._closed and not (group or unanswered):
                break
            kept = [handed.kept for handed in group]
            await loop.run_in_executor(thread, self._write, kept, unanswered)
            for handed in group:
                handed.kept = without_long_texts(handed.kept)
            del kept
            if not self._written:
                self._due = loop.time() + self._max_delay
            self._written += group
            self._tell_syncer()
            if not self._each:
                _make_safe(group)
        self._all_written = True
        self._tell_syncer()

    def _tell_syncer(self) -> None:
        if self._written or self._all_written:
            self._any_written.set()
        if len(self._written) >= self._max_rows or self._all_written:
            self._hurry.set()

    async def _sync_all(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while self._written or not self._all_written:
            await self._any_written.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._due):
                    await self._hurry.wait()
            group, self._written = self._written, []
            if not self._all_written:
                self._any_written.clear()
                self._hurry.clear()
            if not group:
                break
            await loop.run_in_executor(thread, self._sync)
            _make_safe(group)
            for handed in group:
                self._room.release()
                if not isinstance(handed.kept, InvalidAnswer):
                    self._on_recorded(handed.kept)


class _Handed:
    """What is on its way; `safe` is set when `put` may return."""

    __slots__ = ("kept", "safe")

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.safe = asyncio.Event()


def _make_safe(group: Sequence[_Handed]) -> None:
    for handed in group:
        handed.safe.set()
