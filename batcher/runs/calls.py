"""The calls of a run: everything they need is opened, they are made, and all is closed again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime

from batcher.checkpoint import AllBut, Checkpoint, Done, ErrorChoice, Reserve, choose
from batcher.engine.ahead import Ahead
from batcher.engine.policy.spending import Spending
from batcher.errors import DiskFullError, InputError, Interruption, StorageError
from batcher.history import Ended
from batcher.inputs import Dataset
from batcher.job import JobSpec
from batcher.observe import AttemptLog, EventLog, Tally, Watcher, Watchers
from batcher.providers import Pricing
from batcher.records import Exchange
from batcher.runs.calling import Callee, Hearers, Terms, Timing, open_executor
from batcher.runs.ceilings import Progress, spending
from batcher.runs.description import Description
from batcher.runs.endings import NO_ROW, how_ended
from batcher.runs.live import LiveRun
from batcher.runs.metering import metering
from batcher.runs.pace import Pace
from batcher.runs.prepare import Preparation
from batcher.runs.reuse import open_cache
from batcher.runs.selection import Selection
from batcher.runs.stopping import Stopping, soon
from batcher.runs.syncing import Copies
from batcher.structured import Structure


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls the model for each selected row that has no outcome, at most `most` at once.

    With `retry_errors`, rows whose outcome is an error are called again; with `only`, just the
    errors that it means are, and no row without an outcome. `rows` is how many the input has, None
    where that is yet to be counted.
    """

    _: KW_ONLY
    job: JobSpec
    callee: Callee
    pricing: Pricing
    timing: Timing
    watcher: Watcher
    checkpoint: Checkpoint
    dataset: Dataset
    prepare: Preparation
    structure: Structure | None
    tally: Tally
    description: Description
    stopping: Stopping
    most: int
    retry_errors: bool
    only: ErrorChoice | None
    selection: Selection
    rows: int | None
    syncing: Copies

    def make(self) -> LiveRun:
        """Make the calls; return how they ended.

        Raises:
            StorageError: not all outcomes could be recorded; they are as far as that is possible.
        """
        directory, limits = self.description.directory, self.job.limits
        over: list[LiveRun] = []
        with (
            _in_order(over),
            Reserve.held(directory.reserve, self.most, limits.max_response_bytes) as reserve,
            directory.open_log() as log,
        ):
            attempts = AttemptLog(EventLog(log), texts=self.job.observe.report_samples)
            shown = self.watcher, attempts, *self.syncing.watchers
            whole = self.selection.is_whole
            with metering(
                *(self.job, self.callee, directory, Watchers(*shown).notice), whole=whole
            ) as meters:
                # The loop itself would not bear an exception at any moment.
                with _in_order(over), self.stopping.held():
                    watchers = Watchers(*shown, *meters.watchers)
                    asyncio.run(self._make(reserve, watchers, over.append))
                meters.ended = _ended(over[0], self.tally)
                meters.hurried = over[0].interrupted is not None
        return over[0]

    async def _make(
        self, reserve: Reserve, watchers: Watchers, over: Callable[[LiveRun], None]
    ) -> None:
        """Make the calls; `over` is told once they have ended, before all is closed again."""
        async with contextlib.AsyncExitStack() as stack:
            with self.stopping.interruptible():
                live, budget = await self._opened(stack, reserve, watchers)
            stack.enter_context(self.syncing.halting(live.executor.stop))
            with self.stopping.calling(live.heed):
                self.checkpoint.begin_process(int(time.time()))
                await self._watched(live, watchers)
                await budget.close()
                self._end(live)
                over(live)

    async def _opened(
        self, stack: contextlib.AsyncExitStack, reserve: Reserve, watchers: Watchers
    ) -> tuple[LiveRun, Spending]:
        """Open everything that is needed, until the end of `stack`."""
        checkpoint, tally = self.checkpoint, self.tally
        done = self._done()
        tally.earlier = checkpoint.counts()

        def attempted(exchange: Exchange) -> None:
            live.attempted(exchange)
            tally.attempted(exchange)
            watchers.attempted(self.selection.row_of(exchange.request.row), exchange)

        def look_again() -> None:
            live.executor.admission.look_again()

        async def widen(calls: int) -> None:
            await live.widen(calls)

        def put_down(name: str, amount: int) -> Ahead:
            async def remember(amount: int) -> None:
                await live.remember(**{name: amount})

            return Ahead(amount, remember, look_again)

        budget = spending(self.job, tally.earlier, checkpoint.fact, put_down)
        terms = self._terms(budget)
        # Of what is slower than the end of the run, nobody hears any more.
        notice = soon(watchers.notice)

        stack.enter_context(self._counting(notice))
        executor = await stack.enter_async_context(
            open_executor(
                self.job,
                self.callee,
                terms=terms,
                ledger=self.description.directory.ledger,
                hearers=Hearers(attempted, Ahead(0, widen, look_again).covers, watchers.notice),
                timing=self.timing,
            )
        )
        cache = stack.enter_context(open_cache(self.job, self.callee, notice))
        live = LiveRun(
            checkpoint,
            reserve,
            self.dataset,
            self.prepare,
            executor,
            done,
            on_recorded=tally.recorded,
            on_pulse=watchers.pulse,
            on_notice=watchers.notice,
            pace=Pace(executor.flow),
            progress=Progress(self.job.ceilings),
            cache=cache,
            selection=self.selection,
            allow_empty=self.job.provider.allow_empty,
            sync_each=self.job.output.sync == "row",
            time_left=self.job.ceilings.seconds_left(datetime.now().astimezone()),
            on_stop=self.syncing.hurry,
            on_found=tally.found,
        )
        return live, budget

    async def _watched(self, live: LiveRun, watchers: Watchers) -> None:
        """Run, and tell the watchers of its start and its end."""
        watchers.started(self.tally, live.executor.flow)
        for text in self._notices():
            watchers.notice(text)
        try:
            await live.run()
            if not self.tally.done_before + self.tally.rows and self._saw_all(live):
                watchers.notice(NO_ROW)
        finally:
            watchers.finished()
            if live.cache is not None and live.interrupted:
                live.cache.hurry()

    def _saw_all(self, live: LiveRun) -> bool:
        """Whether all rows were taken up; those that are chosen for a retry are not all."""
        return self.only is None and _ended(live, self.tally) is Ended.DONE

    def _terms(self, budget: Spending) -> Terms:
        """Return how calls are made, after those that were made before."""
        unanswered, possible_costs = self.checkpoint.unanswered()
        return Terms(
            calls=self.most,
            pricing=self.pricing,
            spending=budget,
            unanswered=unanswered,
            possible_costs=possible_costs,
            invalid=self.checkpoint.invalid_answers(),
            read=self.structure.read if self.structure else None,
        )

    def _end(self, live: LiveRun) -> None:
        """Put down how the process ended."""
        live.pace.look()
        ended = _ended(live, self.tally)
        halt = live.executor.halted if ended is Ended.HALTED else None
        # Where the disk is full, that is what the user hears of.
        with contextlib.suppress(DiskFullError):
            self.checkpoint.end_process(ended, live.pace.beats(), halt)

    def _done(self) -> Done:
        """Return the records that are not to be called, and tell the tally."""
        if self.only is None:
            done = self.checkpoint.done(errors_too=not self.retry_errors)
            self.tally.done_before = self.selection.held(done)
            # Those before a shard are not to be called either, so that reading begins at its own.
            done.add_range(0, self.selection.start * self.selection.samples)
            return done
        chosen = choose(self.checkpoint.path, self.only, self.selection.samples).rows
        self.tally.chosen = len(chosen)
        return AllBut(chosen)

    def _notices(self) -> Iterator[str]:
        """Say what a user should know before the first call."""
        job = self.job
        if self.most < job.limits.most_calls:
            yield (
                f"The limit of open files (ulimit -n) allows {self.most:,} calls at once, not "
                f"{job.limits.most_calls:,}"
            )
        if self.selection.samples > 1 and job.parameters.get("temperature") == 0:
            yield (
                f"Each row is asked {self.selection.samples:,} times at temperature 0, where "
                "nearly all of its answers are the same; samples are for a higher one"
            )

    @contextlib.contextmanager
    def _counting(self, notice: Callable[[str], None]) -> Iterator[None]:
        """Count the rows of the input beside the run, unless they are known; never waited for."""
        over = threading.Event()
        last = self.checkpoint.last_row() or 0
        known = self.checkpoint.mark_before(last // self.selection.samples)

        def count() -> None:
            try:
                rows = self.rows
                if rows is None:
                    rows = self.dataset.count(over.is_set, known)
                if not over.is_set():
                    self.tally.total = self.selection.size(rows)
                    self.description.add(rows=rows)
            except InputError as error:
                # Known now, not once all that stands before is paid for.
                notice(f"Not all rows can be read: {error}. Those before are called")
            except StorageError:
                # A store may be there again when the reader comes.
                pass

        counter = threading.Thread(target=count, daemon=True)
        counter.start()
        try:
            yield
        finally:
            over.set()
            counter.join()


@contextlib.contextmanager
def _in_order(over: Sequence[LiveRun]) -> Iterator[None]:
    """Let a signal end the block, and the rest of the run go on if its calls are `over`."""
    try:
        yield
    except Interruption as late:
        if not over:
            raise
        over[0].note(late.number)


def _ended(live: LiveRun, tally: Tally) -> Ended:
    """Return how the calls ended, in a word."""
    first = live.interrupted
    return how_ended(
        live.executor.halted,
        first.number if first else None,
        tally.left,
        tally.left,
        disk_full=live.disk_full,
    )
