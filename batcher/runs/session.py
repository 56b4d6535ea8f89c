"""`run`: everything opened, joined, run and closed."""

from __future__ import annotations

import os
import platform
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

import batcher
from batcher.checkpoint import Checkpoint, ErrorChoice, RunLock
from batcher.errors import (
    Halt,
    Interruption,
    StorageError,
)
from batcher.inputs import Dataset
from batcher.job import JobSpec, plain_job
from batcher.observe import Summary, Tally, Watcher
from batcher.outputs import Exported
from batcher.runs.calling import REAL_TIME, Callee, Timing, pricing_of
from batcher.runs.calls import Calls
from batcher.runs.ceilings import check_ceilings
from batcher.runs.description import Description, counted_rows
from batcher.runs.descriptors import affordable_calls
from batcher.runs.directory import WRITTEN, run_directory
from batcher.runs.export import export
from batcher.runs.live import LiveRun
from batcher.runs.prepare import Preparation
from batcher.runs.resume import Consent, agree_on_prices, settle
from batcher.runs.rows import (
    input_facts,
    kept,
    open_dataset,
    recalled,
    refuse_changed,
    refuse_to_overwrite,
)
from batcher.runs.signals import interruptible
from batcher.structured import Structure
from batcher.wording import counted

# A run that was asked to end has ended by then, its files written or not (promise 11).
EXIT_S = 24.0


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: stopped by the provider or a ceiling, a signal, a full disk, or not.

    `left` are the rows that were to be called and were not; None where nobody knows.
    """

    summary: Summary
    halted: Halt | None
    interrupted: signal.Signals | None
    disk_full: bool = False
    left: int | None = 0


@dataclass(frozen=True, slots=True)
class Session:
    """One `batcher run`: a job, whom to call, who watches, and how time passes.

    With `only`, it is a `batcher retry`: of the run that is there, the errors that it means are
    called again, and nothing else.
    """

    job: JobSpec
    callee: Callee
    watcher: Watcher
    consent: Consent
    stdin: BinaryIO
    retry_errors: bool = False
    timing: Timing = REAL_TIME
    only: ErrorChoice | None = None

    def run(self) -> RunResult:
        """Call every row that is not done, record its outcome, and publish results and errors.

        Raises:
            BatcherError: nothing more can be done; whatever was received is recorded.
            Interruption: a signal came before the first call.
        """
        pricing = pricing_of(self.job, self.callee)
        check_ceilings(self.job, pricing)
        structure = Structure.of(self.job.output)
        prepare = Preparation.of(self.job, structure, self.callee.provider, time.time)
        directory = run_directory(self.job.input, self.job.output.directory)
        directory.create()
        since = time.monotonic()
        calls = affordable_calls(self.job.limits.most_calls, 2 if self._simulated else 1)
        with (
            interruptible(),
            RunLock.held(directory.path),
            Checkpoint.open(directory.checkpoint) as checkpoint,
        ):
            dataset = self._dataset(checkpoint, directory.path)
            refuse_to_overwrite(dataset, directory.path, WRITTEN.__contains__)
            agree_on_prices(checkpoint, pricing)
            settle(
                checkpoint,
                self.job.request_settings(),
                dataset,
                prepare,
                self.consent,
                simulated=self._simulated,
            )
            dataset = kept(dataset)
            if self.only is None:
                checkpoint.remember(input=input_facts(dataset), job=plain_job(self.job))
            fingerprint = dataset.fingerprint()
            tally = Tally(total=counted_rows(directory, fingerprint))
            description = Description(directory, self._facts(dataset, fingerprint))
            live = Calls(
                self.job,
                self.callee,
                pricing,
                self.timing,
                self.watcher,
                checkpoint,
                dataset,
                prepare,
                structure,
                tally,
                description,
                most=calls,
                retry_errors=self.retry_errors,
                only=self.only,
            ).make()
            exported, interrupted = _exported(live, directory.path)
            if exported is not None:
                tally.total = exported.results + exported.errors + exported.pending
            counts = checkpoint.counts()
            if exported is not None and counts.rows != exported.results + exported.errors:
                raise StorageError(
                    f"{directory.checkpoint} is damaged: it counts {counts.rows:,} rows and holds "
                    f"{exported.results + exported.errors:,}; `batcher verify` says more"
                )
            pending = None if tally.total is None else max(0, tally.total - counts.rows)
            description.add(
                rows=tally.total,
                state="finished" if pending == 0 else "rows pending",
                finished_at=_now(),
                results=counts.results,
                errors=counts.error_rows,
                pending=pending,
            )
        summary = Summary(
            ended=_ended(live, interrupted, pending, tally),
            counts=counts,
            pending=pending,
            tally=tally,
            wall_s=time.monotonic() - since,
            results_path=directory.results,
            errors_path=directory.errors,
            simulated=self._simulated,
            concurrency=live.executor.concurrency(fixed=self.job.limits.is_fixed),
            exported=exported is not None,
            cache=self.job.reuse.cache is not None,
        )
        return RunResult(summary, live.executor.halted, interrupted, live.disk_full, tally.left)

    def _dataset(self, checkpoint: Checkpoint, spool: Path) -> Dataset:
        if self.only is None:
            return open_dataset(self.job, spool, self.stdin)
        dataset = recalled(checkpoint.fact("input"))
        refuse_changed(checkpoint, dataset)
        return dataset

    @property
    def _simulated(self) -> bool:
        return self.callee.simulator is not None

    def _facts(self, dataset: Dataset, fingerprint: str) -> dict[str, object]:
        """Return what `run.json` says from the start; a job never holds a key."""
        return {
            "batcher": batcher.__version__,
            "python": platform.python_version(),
            "simulated": self._simulated,
            "base_url": None if self._simulated else self.callee.provider.base_url,
            "job": msgspec.to_builtins(self.job),
            "input": dataset.names,
            "fingerprint": fingerprint,
            "started_at": _now(),
            "pid": os.getpid(),
            "state": "running",
        }


def _exported(live: LiveRun, to: Path) -> tuple[Exported | None, signal.Signals | None]:
    """Publish what there is, as far as a signal, come or coming, leaves time for it."""
    first = live.interrupted
    if live.disk_full:
        return None, first.number if first else None
    if first is not None and first.twice:
        return None, first.number
    left = None if first is None else EXIT_S - (time.monotonic() - first.at)
    try:
        with interruptible(within=left):
            exported = export(live.checkpoint, live.dataset, to)
    except Interruption as second:
        return None, first.number if first else second.number
    return exported, first.number if first else None


def _ended(
    live: LiveRun, interrupted: signal.Signals | None, pending: int | None, tally: Tally
) -> str:
    if live.disk_full:
        return (
            "The disk is full. Every answer that came is recorded; free space, then run the same "
            "command again."
        )
    if live.executor.halted is not None and tally.left != 0:
        return live.executor.halted.reason
    if interrupted is not None:
        return f"Stopped by {interrupted.name}; the same command goes on where it stopped."
    if tally.chosen == 0:
        return "No error was chosen; nothing was called."
    if tally.chosen is not None:
        again = f"{counted(tally.rows, 'chosen error')} taken up again."
        return f"{again} `batcher run` goes on with the pending rows." if pending else again
    return "Rows are pending; the same command goes on with them." if pending else "Done."


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
