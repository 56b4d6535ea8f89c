"""The end of a run: what is written once no more calls are made, as far as there is time for it."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from batcher.errors import DiskFullError, InputError, Interruption, StorageError
from batcher.job import ObserveSpec
from batcher.outputs import Exported
from batcher.runs.delivery import Delivery, delivered
from batcher.runs.directory import RunDirectory
from batcher.runs.export import export
from batcher.runs.live import LiveRun
from batcher.runs.published import Published, published_fact
from batcher.runs.report import reported
from batcher.runs.stopping import Check, Stopping, asking, checked
from batcher.runs.syncing import Copies

# A run that was asked to end has ended by then, its files written or not (promise 11).
EXIT_S = 24.0
# What is left where it was asked twice, or nothing is left.
AT_ONCE_S = 0.3
# What is remembered of what was put at a URL.
_FACT = "delivered"


@dataclass(frozen=True, slots=True)
class Finish:
    """Publishes what a run in `directory` has, whose calls have ended.

    What was published `earlier`, where nothing was recorded since, is left as it is.
    """

    live: LiveRun
    directory: RunDirectory
    stopping: Stopping
    earlier: Published | None = None

    def copy(self, copies: Copies) -> None:
        """Make the last copy of the checkpoint, before all else: it is what was paid for.

        A first signal that comes meanwhile leaves it as much time as one before would have.
        """
        first = self.live.interrupted
        within = AT_ONCE_S if first is not None and first.twice else self._left
        number = copies.end(self.stopping, within)
        if number is not None and first is None:
            self.live.note(number)
            copies.end(self.stopping, self._left)

    def export(self) -> tuple[Exported | str, signal.Signals | None]:
        """Write results and errors, as far as a signal, come or coming, leaves time for it.

        Returns them, or why they are not written: the input may be damaged, or have changed. And
        the signal that counts.

        Raises:
            StorageError: the checkpoint counts other rows than it holds, or cannot be read.
            OutputError: they cannot be written.
        """
        first = self.live.interrupted
        number = first.number if first else None
        later = f"not written; `batcher export {self.directory.path}` does it"
        if self.live.disk_full or (first is not None and first.twice):
            return later, number
        if self.live.unread is not None:
            return f"not written: {self.live.unread}", number
        checkpoint = self.live.checkpoint
        try:
            with self.stopping.interruptible(within=self._left) as check:
                exported = self._left_as_it_is(check)
                if exported is None:
                    path = self.directory.path
                    exported = export(checkpoint, self.live.dataset, path, check=check)
        except Interruption as second:
            return later, number or second.number
        except InputError as error:
            return f"not written: {error}", number
        counted_rows, held = checkpoint.counts().rows, exported.results + exported.errors
        if counted_rows != held:
            raise StorageError(
                f"{checkpoint.path} is damaged: it counts {counted_rows:,} rows and holds "
                f"{held:,}; `batcher verify` says more"
            )
        return exported, number

    def report(self, how: ObserveSpec) -> Path | str:
        """Write the report; return where it is, or why it is nowhere: the run is done anyway."""
        if self.earlier is not None and (kept := self.earlier.report()) is not None:
            return kept
        try:
            with self.stopping.interruptible(within=self._left) as check:
                return reported(self.directory, how, check)
        except Interruption:
            return f"not written; `batcher report {self.directory.path}` does it"

    def remember(self, exported: Exported, report: Path | str | None) -> None:
        """Put down what is published now, so that a start that records nothing leaves it."""
        written = report if isinstance(report, Path) else None
        # Where there is no room for it, the next start publishes once more.
        with contextlib.suppress(DiskFullError):
            checkpoint = self.live.checkpoint
            checkpoint.remember(**published_fact(exported, checkpoint.counts(), written))

    def deliver(
        self, delivery: Delivery, *, report: bool
    ) -> tuple[str | None, signal.Signals | None]:
        """Put what was published where the job wants it too.

        Returns why it is not there, None where it is, and the signal that counts.
        """
        first, checkpoint = self.live.interrupted, self.live.checkpoint
        number = first.number if first else None
        names = delivered(report=report)
        url = delivery.folder.url
        facts = checkpoint.fact(_FACT)
        known = facts.get(url, {}) if isinstance(facts, dict) else {}
        try:
            with self.stopping.interruptible(within=self._left) as check:
                done = delivery.put(self.directory.path, names, known, asking(check))
                checkpoint.remember(**{_FACT: {url: {**known, **done}}})
        except Interruption as late:
            return f"not all of it is at {url}, as the run had to end", number or late.number
        except StorageError as error:
            return str(error), number
        return None, number

    def hurry(self, exported: Exported | str) -> float | None:
        """Return in how many seconds the process must have ended; None where no signal came."""
        left = self._left
        if left is None:
            return None
        first = self.live.interrupted
        if isinstance(exported, str) or (first is not None and first.twice):
            return AT_ONCE_S
        return max(AT_ONCE_S, left)

    def _left_as_it_is(self, check: Check) -> Exported | None:
        """Return what was published earlier, if that is still all there is."""
        if self.earlier is None:
            return None
        # What is damaged is named, as it would be if they were written.
        checkpoint = self.live.checkpoint
        recorded = sum(1 for _ in checked(checkpoint.outcomes(), check))
        return self.earlier.exported(recorded, checkpoint.counts())

    @property
    def _left(self) -> float | None:
        first = self.live.interrupted
        return None if first is None else EXIT_S - (time.monotonic() - first.at)
