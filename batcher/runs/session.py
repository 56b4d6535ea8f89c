"""`run`: everything opened, joined, run and closed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from batcher.checkpoint import Checkpoint, CheckpointReader, ErrorChoice, RunLock
from batcher.inputs import Dataset, Rows
from batcher.job import JobSpec
from batcher.observe import Summary, Tally, Watcher, Watchers
from batcher.providers import Pricing
from batcher.runs.calling import REAL_TIME, Callee, Timing, pricing_of
from batcher.runs.calls import Calls
from batcher.runs.ceilings import beside, check_ceilings
from batcher.runs.credentials import environment
from batcher.runs.delivery import DELIVERED, Delivery
from batcher.runs.description import Description, begun_facts, counted_rows, ended_facts
from batcher.runs.descriptors import affordable_calls
from batcher.runs.directory import WRITTEN, RunDirectory, run_directory
from batcher.runs.endings import ending, how_ended
from batcher.runs.examples import examples_of
from batcher.runs.finish import Finish
from batcher.runs.prepare import Preparation
from batcher.runs.published import PUBLISHED, Published
from batcher.runs.remembered import Remembered, input_facts, job_facts
from batcher.runs.result import RunResult
from batcher.runs.resume import Consent, agree_on_prices, settle
from batcher.runs.rows import (
    kept,
    look_for_files,
    open_dataset,
    refuse_to_feed,
    refuse_to_overwrite,
    unchanged,
)
from batcher.runs.scope import Scope, Standing
from batcher.runs.selection import WHOLE_INPUT, Portion
from batcher.runs.shard import Part, Shard, folder_of, keep_start, part_of
from batcher.runs.signals import Signals
from batcher.runs.stopping import Check, Stopping, asking
from batcher.runs.syncing import refuse_copies_within, syncing
from batcher.storage import Address
from batcher.structured import Structure


@dataclass(frozen=True, slots=True)
class Session:
    """One `batcher run`: a job, whom to call, who watches, how time passes, and who may stop it.

    `rows` in memory take the place of the job's input, and `portion` are those that it is about.
    With `only`, it is a `batcher retry`: of the run that is there, the errors that it means are
    called again, and nothing else. `variables` reads those of the environment.
    """

    job: JobSpec
    callee: Callee
    watcher: Watcher
    consent: Consent
    stdin: BinaryIO
    rows: Rows | None = None
    retry_errors: bool = False
    portion: Portion = WHOLE_INPUT
    timing: Timing = REAL_TIME
    only: ErrorChoice | None = None
    stopping: Stopping = field(default_factory=Signals)
    variables: Callable[[], Mapping[str, str]] = environment

    def run(self) -> RunResult:
        """Call every chosen row that is not done, record it, and publish results and errors.

        How that ends, the webhooks of the job are told.

        Raises:
            BatcherError: nothing more can be done; whatever was received is recorded.
            Interruption: a signal came before the first call.
        """
        if self.portion.shard is not None and self.job.output.directory is None:
            return replace(self, job=self._placed()).run()
        pricing = pricing_of(self.job, self.callee)
        if not self.job.alerts.webhooks:
            return self._run(pricing, self.watcher)
        # Most runs have none, and need not wait for what is loaded.
        from batcher.runs.alerting import Alerting  # noqa: PLC0415 -- see above

        alerting = Alerting.of(
            self.job,
            pricing,
            self.watcher,
            self.stopping,
            self.variables(),
            simulated=self._simulated,
        )
        heard = replace(self, stopping=alerting.stopping)
        return alerting.telling(lambda: heard._run(pricing, Watchers(self.watcher, alerting)))  # noqa: SLF001 -- itself

    def _run(self, pricing: Pricing, watcher: Watcher) -> RunResult:
        check_ceilings(self.job, pricing)
        since = time.monotonic()
        structure = Structure.of(self.job.output)
        prepare = Preparation.of(self.job, structure, self.callee.provider, time.time)
        directory = run_directory(self.job.input, self.job.output.directory)
        refuse_copies_within(directory, self.job.output)
        with self.stopping.interruptible() as check:
            to = self.job.output.to
            if self.only is None and self.rows is None:
                look_for_files(self.job, directory.path, check)
                if to is not None:
                    refuse_to_feed(self.job.input, Address.of(to))
            directory.create(awaits_copy=self.job.output.sync_checkpoint is not None)
            shard = self._shard(directory)
            delivery = None if to is None else Delivery.to(folder_of(to, shard), asking(check))
        with (
            self.stopping.interruptible() as check,
            RunLock.held(directory.path),
            syncing(self.job.output, directory, shard, watcher.notice, check) as copies,
            Checkpoint.open(directory.checkpoint) as checkpoint,
        ):
            dataset, part, earlier = self._settled(checkpoint, directory, prepare, pricing, check)
            if to is not None:
                # A merge of shards puts its files at the URL itself.
                for url in {to, folder_of(to, shard)}:
                    refuse_to_overwrite(dataset, Address.of(url), DELIVERED.__contains__)
            if delivery is not None:
                # Here nothing else is in the way of the first call.
                delivery.check_writable(asking(check))
            fingerprint = dataset.fingerprint()
            counted = counted_rows(directory, fingerprint)
            scope = Scope.of(self.portion, prepare.samples, dataset, part, counted)
            asked = None if self._simulated else self.callee.provider.base_url
            facts = begun_facts(self.job, dataset, fingerprint, asked)
            description = Description(directory, facts)
            calls = Calls(
                job=self.job,
                callee=self.callee,
                pricing=pricing,
                timing=self.timing,
                watcher=watcher,
                checkpoint=checkpoint,
                dataset=dataset,
                prepare=prepare,
                structure=structure,
                tally=Tally(total=scope.total),
                description=description,
                stopping=self.stopping,
                most=affordable_calls(self.job.limits.most_calls, 2 if self._simulated else 1),
                retry_errors=self.retry_errors,
                only=self.only,
                selection=scope.selection,
                rows=scope.rows,
                syncing=copies,
            )
            with copies.calls(checkpoint, dataset, description, self.stopping):
                live = calls.make()
                finish = Finish(
                    live, directory, self.stopping, None if calls.tally.rows else earlier
                )
                finish.copy(copies)
            return self._finished(calls, finish, scope, delivery, since)

    def _finished(
        self, calls: Calls, finish: Finish, scope: Scope, delivery: Delivery | None, since: float
    ) -> RunResult:
        """Publish what there is once no more calls are made, and say how the run ended."""
        live, directory = finish.live, finish.directory
        copies, tally = calls.syncing, calls.tally
        exported, interrupted = finish.export()
        unexported = exported if isinstance(exported, str) else None
        if not isinstance(exported, str):
            scope = scope.after(exported)
            tally.total = scope.total
        standing = scope.standing(calls.checkpoint, tally.total)
        calls.description.add(**self._ended(scope, standing))
        report = undelivered = None
        if unexported is None and self.job.observe.report:
            report = finish.report(self.job.observe)
        if not isinstance(exported, str):
            finish.remember(exported, report)
        if unexported is None and delivery is not None:
            undelivered, late = finish.deliver(delivery, report=isinstance(report, Path))
            interrupted = interrupted or late
        part = scope.selection.part
        halted, left = live.executor.halted, tally.left
        how = how_ended(halted, interrupted, left, standing.pending, disk_full=live.disk_full)
        summary = Summary(
            ended=ending(how, halted, interrupted, tally, standing.chosen),
            counts=standing.counts,
            pending=standing.pending,
            tally=tally,
            wall_s=time.monotonic() - since,
            results_path=directory.results,
            errors_path=directory.errors,
            simulated=self._simulated,
            concurrency=live.executor.concurrency(fixed=self.job.limits.is_fixed),
            unexported=unexported,
            report=report,
            to=None if delivery is None else delivery.folder.url,
            undelivered=undelivered,
            cache=self.job.reuse.cache is not None,
            samples=scope.selection.samples,
            part=str(part) if part else None,
            copy=copies.line(),
            examples=examples_of(directory, texts=self.job.observe.report_samples),
        )
        return RunResult(
            summary,
            halted,
            interrupted,
            live.disk_full,
            left,
            hurry=finish.hurry(exported),
            copied=copies.is_current,
        )

    def _shard(self, directory: RunDirectory) -> Shard | None:
        """Return the shard that is asked for, or, to be called again, that of the directory."""
        if self.only is None:
            return self.portion.shard
        with CheckpointReader.read(directory.checkpoint) as checkpoint:
            part = Remembered(checkpoint).part
        return part.shard if part else None

    def _placed(self) -> JobSpec:
        """Return the job with the directory of its shard named, for all that ask it."""
        path = run_directory(self.job.input, None, self.portion.shard).path
        output = msgspec.structs.replace(self.job.output, directory=str(path))
        return msgspec.structs.replace(self.job, output=output)

    def _settled(
        self,
        checkpoint: Checkpoint,
        directory: RunDirectory,
        prepare: Preparation,
        pricing: Pricing,
        check: Check,
    ) -> tuple[Dataset, Part | None, Published | None]:
        """Return the input, and which part of it; the checkpoint speaks of them and of the job.

        And what was published last, if it is of the same ones.
        """
        if self.only is None:
            dataset = open_dataset(self.job, directory.path, self.stdin, self.rows, check)
            part = part_of(checkpoint, dataset, self.portion.shard)
        else:
            run = Remembered(checkpoint)
            dataset = unchanged(checkpoint, replace(run.dataset, stop=asking(check)))
            part = run.part
        refuse_to_overwrite(dataset, directory.path, WRITTEN.__contains__)
        agree_on_prices(checkpoint, pricing)
        facts = settle(
            checkpoint,
            self.job.request_settings(),
            dataset,
            prepare,
            self.consent,
            check,
            simulated=self._simulated,
            part=part,
        )
        dataset = kept(dataset)
        job = job_facts(self.job, dataset)
        earlier = None if facts else Published.last(checkpoint, directory, job)
        # Until this process has published what it has, nobody knows of what the files are.
        facts |= beside(checkpoint.counts(), checkpoint.fact) | {PUBLISHED: None}
        if self.only is None:
            facts |= {
                "input": input_facts(dataset),
                "job": job,
                # Tells a merge whether it was made of this run.
                "run": checkpoint.fact("run") or uuid.uuid4().hex,
            }
        checkpoint.remember(**facts)
        keep_start(checkpoint, dataset, part)
        return dataset, part, earlier

    @property
    def _simulated(self) -> bool:
        return self.callee.simulator is not None

    def _ended(self, scope: Scope, standing: Standing) -> dict[str, object]:
        """Return what `run.json` says once the calls have ended."""
        part = scope.selection.part
        return {
            **ended_facts(
                *(standing.counts, scope.rows, scope.selection.samples),
                *(standing.pending, standing.state),
            ),
            "shard": part.facts() if part else None,
            "chosen": standing.chosen,
        }
