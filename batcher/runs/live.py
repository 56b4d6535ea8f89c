"""The part of a run in which calls are made: reader, executor and group commit, joined."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace

from batcher.cache import Cache
from batcher.checkpoint import BEAT_S, Checkpoint, Done, GroupCommit, Reserve
from batcher.engine.sharing import Shared
from batcher.errors import DiskFullError, ErrorClass, Halt, InputError, StorageError
from batcher.executors import LocalExecutor
from batcher.inputs import Dataset
from batcher.records import (
    Exchange,
    Failure,
    InvalidAnswer,
    Kept,
    Mark,
    Outcome,
    Request,
    Unanswered,
)
from batcher.runs.ceilings import Progress
from batcher.runs.pace import Pace
from batcher.runs.prepare import Preparation
from batcher.runs.reading import Reading
from batcher.runs.selection import ALL_ROWS, Selection
from batcher.runs.sharing import Sharing

DRAIN_S = 20.0
PULSE_S = 0.5
_FULL = "The disk is full: the calls in flight are recorded in reserved space, no more are begun"
_KEPT = "No answer is lost, and the same command goes on."
_TIME_UP = "Stopped as its time is up (--deadline, --max-duration). The same command goes on."


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The signal that stopped the calls, and when (monotonic); `twice` if a second one came."""

    number: signal.Signals
    at: float
    twice: bool = False


@dataclass(slots=True)
class LiveRun:
    """Calls every selected row that is not done yet, for each of its samples, and records it.

    `on_recorded` is told of each outcome once it is safe, `on_found` of a row whose outcome was
    set aside and is back, `on_pulse` about twice a second, `on_notice` of what a user should know
    now. With `sync_each`, a call has ended only when its outcome is on the disk. Answers are taken
    from the `cache` and put into it. `time_left` is how many seconds calls may be begun; `on_stop`
    is called when somebody first wants them to end (see `heed`). `disk_full` says whether the calls
    were stopped for lack of space.
    """

    checkpoint: Checkpoint
    reserve: Reserve
    dataset: Dataset
    prepare: Preparation
    executor: LocalExecutor
    done: Done
    _: KW_ONLY
    on_recorded: Callable[[Outcome], None]
    on_pulse: Callable[[], None]
    on_notice: Callable[[str], None]
    pace: Pace
    progress: Progress
    cache: Cache | None = None
    selection: Selection = ALL_ROWS
    allow_empty: bool = False
    sync_each: bool = False
    time_left: float | None = None
    on_stop: Callable[[], None] = lambda: None
    on_found: Callable[[], None] = lambda: None
    interrupted: Interrupted | None = None
    disk_full: bool = False
    _group: GroupCommit = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _calls: asyncio.Task[None] = field(init=False)
    reading: Reading = field(init=False)
    _filling: threading.Lock = field(default_factory=threading.Lock)
    _marks: deque[Mark] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.reading = Reading(self.checkpoint, self.executor)

    @property
    def unread(self) -> InputError | StorageError | None:
        """Why no more rows could be read; None where all were, or need not be."""
        return self.reading.unread

    async def run(self) -> None:
        """Run until the input is used up or the run stops; all that was received is recorded.

        Raises:
            StorageError: an outcome could not be recorded.
        """
        self._loop = asyncio.get_running_loop()
        shared = self.checkpoint.shared
        self._group = group = GroupCommit(
            self._write,
            self.checkpoint.sync,
            self._recorded,
            each=self.sync_each or shared,
            beat=BEAT_S if shared else PULSE_S,
        )
        consumer = asyncio.create_task(group.run())
        self._calls = calls = asyncio.create_task(self._call_all())
        pulse = asyncio.create_task(self._pulse())
        alarm = asyncio.create_task(self._alarm())
        # What the reader reads from may be closed once this is over; so it ends before.
        with self.reading.thread:
            try:
                await asyncio.wait({consumer, calls}, return_when=asyncio.FIRST_COMPLETED)
                if consumer.done():
                    calls.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await calls
                else:
                    group.close()
                await consumer
                if not (calls.cancelled() and self.interrupted):
                    await calls
            finally:
                pulse.cancel()
                alarm.cancel()
                if calls.done() and not calls.cancelled():
                    # Where recording failed as well, that is what is raised.
                    calls.exception()

    async def _call_all(self) -> None:
        async with contextlib.aclosing(self._requests()) as requests:
            await self.executor.run(requests, self._put)

    async def _put(self, kept: Kept) -> None:
        """Record an outcome, and count it against the ceilings; or an answer of no use."""
        if not isinstance(kept, InvalidAnswer) and (
            halt := self.progress.counted(error=isinstance(kept, Failure))
        ):
            self.executor.stop(halt)
        await self._group.put(kept)
        if self.cache is not None:
            self.cache.keep(kept)

    async def _requests(self) -> AsyncGenerator[Request | Shared, None]:
        """Yield what is still to be asked, of a model or not; what cannot be is recorded."""
        first = self.selection.row_of(self.done.first_missing())
        start = self.checkpoint.mark_before(first)
        # A store that is silent must not hold up the end of the run.
        dataset = replace(self.dataset, stop=self.executor.stopping.is_set)
        rows = dataset.rows(start, self._marks.append)
        records = self.prepare.upcoming(rows, self.selection, self.done)
        reading = self.reading
        sharing = Sharing(
            *(self.checkpoint, self.cache, self.executor),
            allow_empty=self.allow_empty,
            in_reader=reading.in_thread,
        )
        # Read in a thread: a slow disk or a large row group must not hold up the answers.
        while batch := await reading.next(records):
            await sharing.look(batch.records)
            for at, prepared in enumerate(batch.records):
                if isinstance(prepared, Failure):
                    await self._put(prepared)
                elif earlier := reading.earlier(prepared, batch, self.selection):
                    await self._put(self.prepare.duplicate(prepared, earlier))
                elif prepared.key in batch.aside:
                    await self._take_back(prepared)
                    # It may be what others ask, too.
                    await sharing.look(batch.records[at + 1 :])
                else:
                    shared = await sharing.shared(batch.records, at) if prepared.content else None
                    if shared is None:
                        if not self.progress.may_call:
                            self.executor.end_with(self.progress.rows_called)
                            return
                        self.progress.called += 1
                        self.executor.leaders.lead(prepared)
                    reading.take(prepared)
                    yield shared or prepared
        if self.unread is not None and not self.executor.stopping.is_set():
            halt = Halt(f"{self.unread}. {_KEPT}", self.unread.exit_code)
            self.executor.end_with(halt)
            self.on_notice(halt.reason)

    async def _take_back(self, request: Request) -> None:
        """Let a row have what was paid for the very same request before, instead of a call."""
        reading = self.reading
        await reading.in_thread(
            lambda: self._with_reserve(lambda: self.checkpoint.take_back(request))
        )
        reading.take(request)
        reading.settle(request.id)
        self.on_found()

    def attempted(self, exchange: Exchange) -> None:
        """Take down a call that may have been billed, before the row has its outcome."""
        problem = exchange.attempt.problem
        self.pace.attempted(problem)
        if problem is not None and problem.error_class is ErrorClass.AMBIGUOUS:
            asked = exchange.request
            self._group.note(Unanswered(asked.key, exchange.possible_cost, asked.pending))

    def _write(self, kept: Sequence[Kept], unanswered: Sequence[Unanswered]) -> None:
        # The reading thread may add a mark at any moment; a deque loses none. One that is lost by
        # an error costs only reading.
        marks = [self._marks.popleft() for _ in range(len(self._marks))]
        beats = self.pace.beats()
        self._with_reserve(lambda: self.checkpoint.write(kept, marks, unanswered, beats))

    async def remember(self, **facts: object) -> None:
        """Remember facts for good, before anything is done that they speak of."""
        await asyncio.to_thread(self._with_reserve, lambda: self.checkpoint.remember(**facts))

    async def widen(self, calls: int) -> None:
        """Put down how many calls may be in flight from now on."""
        await asyncio.to_thread(self._with_reserve, lambda: self.checkpoint.expect(calls))

    def _with_reserve(self, write: Callable[[], None]) -> None:
        """Write; on a full disk begin no more calls, and write in the space kept for that."""
        try:
            write()
        except DiskFullError:
            # Several threads may find the disk full at once.
            with self._filling:
                first, self.disk_full = not self.disk_full, True
                if first:
                    self._loop.call_soon_threadsafe(self._stop, _FULL)
                    self.reserve.release()
            write()

    def _stop(self, why: str) -> None:
        """Begin no new calls, and say why."""
        self.executor.stop()
        self.on_notice(why)

    def _recorded(self, outcome: Outcome) -> None:
        if outcome.key is not None:
            self.reading.settle(outcome.id)
        self.on_recorded(outcome)

    async def _alarm(self) -> None:
        if self.time_left is not None:
            await asyncio.sleep(self.time_left)
            self.executor.stop(Halt(_TIME_UP, ceiling=True))

    async def _pulse(self) -> None:
        while True:
            self.on_pulse()
            self.pace.look()
            await asyncio.sleep(PULSE_S)

    def heed(self, number: signal.Signals) -> None:
        """Take down a signal, in the loop of `run`, which has begun.

        First one: no new calls, those in flight may end within 20 s. Second: stop now.
        """
        if not self._calls.done():
            if self.interrupted is None:
                self.on_stop()
                calls_left = f"{self.executor.in_flight:,} calls in flight"
                self._stop(
                    f"{number.name}: waiting at most {DRAIN_S:.0f} s for the {calls_left}; "
                    "a second signal stops at once"
                )
            self._loop.call_later(0 if self.interrupted else DRAIN_S, self._calls.cancel)
        self.note(number)

    def note(self, number: signal.Signals) -> None:
        """Take down a signal that came once all calls had ended."""
        self.interrupted = Interrupted(number, time.monotonic(), self.interrupted is not None)
