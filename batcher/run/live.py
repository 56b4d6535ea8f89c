"""The part of a run in which calls are made: reader, executor, group commit and watchers, joined."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from batcher.checkpoint import Checkpoint, GroupCommit, RowSet
from batcher.executors import LocalExecutor
from batcher.inputs import Dataset
from batcher.records import Failure, Mark, Outcome, Prompt, Request
from batcher.run.prepare import Preparation

DRAIN_S = 20.0
PULSE_S = 0.5
# Rows read in one visit to the reading thread; small enough to stay within the pool's width.
_READ = 16


@dataclass(slots=True)
class LiveRun:
    """Calls every row that is not done yet and records its outcome.

    `on_recorded` is told of each outcome once it is safe, `on_pulse` about twice a second.
    `interrupted` is the signal that stopped the run, if one did.
    """

    checkpoint: Checkpoint
    dataset: Dataset
    prepare: Preparation
    executor: LocalExecutor
    done: RowSet
    on_recorded: Callable[[Outcome], None]
    on_pulse: Callable[[], None]
    interrupted: signal.Signals | None = None
    _in_hand: dict[str, Request] = field(default_factory=dict)
    _marks: list[Mark] = field(default_factory=list)

    async def run(self) -> None:
        """Run until the input is used up or the run stops; all that was received is recorded.

        Raises:
            StorageError: an outcome could not be recorded.
        """
        group = GroupCommit(self._commit, self._recorded)
        consumer = asyncio.create_task(group.run())
        calls = asyncio.create_task(self._call_all(group))
        pulse = asyncio.create_task(self._pulse())
        with self._signals(calls):
            try:
                await asyncio.wait({consumer, calls}, return_when=asyncio.FIRST_COMPLETED)
                if consumer.done():
                    calls.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await calls
                else:
                    await group.close()
                await consumer
                if not (calls.cancelled() and self.interrupted):
                    await calls
            finally:
                pulse.cancel()

    async def _call_all(self, group: GroupCommit) -> None:
        async with contextlib.aclosing(self._requests(group)) as requests:
            await self.executor.run(requests, group.put)

    async def _requests(self, group: GroupCommit) -> AsyncIterator[Request]:
        """Yield the requests that are still to be made; rows that cannot be one are recorded."""
        start = self.checkpoint.mark_before(self.done.first_missing())
        rows = self.dataset.rows(start, self._mark)
        # Read in a thread: a slow disk or a large row group must not hold up the answers.
        while batch := await asyncio.to_thread(self._read, rows):
            for prepared in batch:
                if isinstance(prepared, Failure):
                    await group.put(prepared)
                elif earlier := self._earlier(prepared):
                    await group.put(self.prepare.duplicate(prepared, earlier))
                else:
                    self._in_hand[prepared.id] = prepared
                    yield prepared

    def _read(self, rows: Iterator[Prompt | Failure]) -> list[Request | Failure]:
        pending = (item for item in rows if item.row not in self.done)
        return [self.prepare(item) for item in islice(pending, _READ)]

    def _earlier(self, request: Request) -> str | None:
        """Where the earlier row with the same id stands: still in hand, or recorded."""
        if in_hand := self._in_hand.get(request.id):
            return str(in_hand.source)
        found = self.checkpoint.first_with_id(request.id)
        return found[1] if found and found[0] < request.row else None

    def _mark(self, mark: Mark) -> None:
        self._marks.append(mark)

    def _commit(self, outcomes: list[Outcome]) -> None:
        marks, self._marks = self._marks, []
        self.checkpoint.commit(outcomes, marks)

    def _recorded(self, outcome: Outcome) -> None:
        if outcome.key is not None:
            self._in_hand.pop(outcome.id, None)
        self.on_recorded(outcome)

    async def _pulse(self) -> None:
        while True:
            self.on_pulse()
            await asyncio.sleep(PULSE_S)

    @contextlib.contextmanager
    def _signals(self, calls: asyncio.Task[None]) -> Iterator[None]:
        """First signal: no new calls, those in flight may end within 20 s. Second: stop now."""
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            if self.interrupted:
                calls.cancel()
                return
            self.interrupted = number
            self.executor.stopping.set()
            loop.call_later(DRAIN_S, calls.cancel)

        handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in handled:
            loop.add_signal_handler(number, stop, number)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)
