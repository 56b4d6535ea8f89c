"""`run`: everything opened, joined, run and closed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO, TextIO

import msgspec

import batcher
from batcher.checkpoint import Checkpoint, RowSet, RunLock
from batcher.engine.client import Client, Timeouts, http_client
from batcher.engine.limiter import Limiter
from batcher.engine.retry import Retrier, RetryPolicy
from batcher.errors import InputError, OutputError, ProviderError
from batcher.executors import LocalExecutor
from batcher.inputs import Dataset
from batcher.job import JobSpec
from batcher.observe import AttemptLog, EventLog, Summary, Tally, Watcher
from batcher.providers import Auth, Provider
from batcher.records import Attempt, Request
from batcher.render import Renderer
from batcher.run.directory import RunDirectory, run_directory
from batcher.run.export import export
from batcher.run.live import LiveRun
from batcher.run.prepare import Preparation
from batcher.run.resume import Consent, settle
from batcher.run.rows import input_facts, open_dataset
from batcher.simulator import SimulatorConfig, serve


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: at most one of `stopped_by` and `interrupted` is set."""

    summary: Summary
    stopped_by: ProviderError | None
    interrupted: signal.Signals | None


@dataclass(frozen=True, slots=True)
class Session:
    """One `batcher run`: a job, whom to call, and who watches."""

    job: JobSpec
    provider: Provider
    auth: Auth
    watcher: Watcher
    consent: Consent
    stdin: BinaryIO
    retry_errors: bool = False
    simulate: SimulatorConfig | None = None

    def run(self) -> RunResult:
        """Call every row that is not done, record its outcome, and publish results and errors.

        Raises:
            BatcherError: nothing more can be done; whatever was received is recorded.
        """
        directory = run_directory(self.job.input, self.job.output.directory)
        directory.create()
        prepare = Preparation(Renderer(self.job), time.time)
        with RunLock.held(directory.path), Checkpoint.open(directory.checkpoint) as checkpoint:
            dataset = open_dataset(self.job, directory.path, self.stdin)
            simulated = self.simulate is not None
            checkpoint.remember(input=input_facts(dataset))
            settle(checkpoint, self.job, dataset, prepare, self.consent, simulated=simulated)
            done = checkpoint.done(errors_too=not self.retry_errors)
            tally = Tally(done_before=len(done))
            since, started = time.monotonic(), datetime.now(UTC)
            description = self._description(dataset, started)
            directory.describe(**description, state="running")
            with _counting(dataset, tally), _open_log(directory) as log:
                watchers = (self.watcher, AttemptLog(EventLog(log)))
                live = asyncio.run(
                    self._call(checkpoint, dataset, prepare, done, tally, watchers, directory)
                )
            exported = export(checkpoint, dataset, directory.path)
            summary = Summary(
                ended=_ended(live, exported.pending),
                counts=checkpoint.counts(),
                pending=exported.pending,
                tally=tally,
                wall_s=time.monotonic() - since,
                results_path=exported.results_path,
                errors_path=exported.errors_path,
                simulated=simulated,
            )
            directory.describe(
                **description,
                state="rows pending" if exported.pending else "finished",
                finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
                results=exported.results,
                errors=exported.errors,
                pending=exported.pending,
            )
        return RunResult(summary, live.executor.stopped_by, live.interrupted)

    async def _call(
        self,
        checkpoint: Checkpoint,
        dataset: Dataset,
        prepare: Preparation,
        done: RowSet,
        tally: Tally,
        watchers: Sequence[Watcher],
        directory: RunDirectory,
    ) -> LiveRun:
        """Open the network, make the calls, close it."""
        limits = self.job.limits
        timeouts = Timeouts(limits.connect_timeout, limits.idle_timeout, limits.timeout)
        limiter = Limiter(limits.concurrency)

        def attempted(request: Request, attempt: Attempt) -> None:
            tally.attempted(attempt)
            for watcher in watchers:
                watcher.attempted(request.row, attempt)

        def pulse() -> None:
            for watcher in watchers:
                watcher.pulse()

        async with contextlib.AsyncExitStack() as stack:
            provider = self.provider
            if self.simulate is not None:
                config = replace(self.simulate, ledger=directory.ledger)
                simulator = await stack.enter_async_context(serve(config))
                provider = replace(provider, base_url=simulator.base_url)
            http = await stack.enter_async_context(
                http_client(provider, timeouts, limits.concurrency)
            )
            client = Client(
                http,
                provider,
                self.auth,
                timeouts=timeouts,
                stream=self.job.provider.stream,
                allow_empty=self.job.provider.allow_empty,
            )
            policy = RetryPolicy(limits.max_attempts, max_wait=limits.max_wait)
            retrier = Retrier(client.complete, limiter, policy, client.renew, attempted)
            live = LiveRun(
                checkpoint,
                dataset,
                prepare,
                LocalExecutor(retrier),
                done,
                on_recorded=tally.recorded,
                on_pulse=pulse,
            )
            for watcher in watchers:
                watcher.started(tally, lambda: limiter.in_flight)
            try:
                await live.run()
            finally:
                for watcher in watchers:
                    watcher.finished()
        return live

    def _description(self, dataset: Dataset, started: datetime) -> dict[str, object]:
        """Return what `run.json` says from the start; a job never holds a key."""
        return {
            "batcher": batcher.__version__,
            "python": platform.python_version(),
            "simulated": self.simulate is not None,
            "base_url": None if self.simulate else self.provider.base_url,
            "job": msgspec.to_builtins(self.job),
            "input": dataset.names,
            "fingerprint": dataset.fingerprint(),
            "started_at": started.isoformat(timespec="seconds"),
            "pid": os.getpid(),
        }


def _ended(live: LiveRun, pending: int) -> str:
    if live.executor.stopped_by is not None:
        problem = live.executor.stopped_by.problem
        code = f" (code {problem.code})" if problem.code else ""
        return f"Stopped by the provider: {problem.message}{code}. {problem.error_class.rule.hint}"
    if live.interrupted:
        return f"Stopped by {live.interrupted.name}; the same command goes on where it stopped."
    return "Rows are pending; the same command goes on with them." if pending else "Done."


@contextlib.contextmanager
def _counting(dataset: Dataset, tally: Tally) -> Iterator[None]:
    """Count the rows of the input beside the run, for the bar; never waited for."""
    over = threading.Event()

    def count() -> None:
        # A file that cannot be counted cannot be read either; the reader says so.
        with contextlib.suppress(InputError):
            tally.total = dataset.count(over.is_set)

    threading.Thread(target=count, daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextlib.contextmanager
def _open_log(directory: RunDirectory) -> Iterator[TextIO]:
    """Open `log.jsonl` for appending, readable by its owner only."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(directory.log, flags, 0o600)
    except OSError as error:
        raise OutputError(f"cannot create {directory.log}: {error.strerror}") from None
    with os.fdopen(descriptor, "a", encoding="utf-8") as log:
        yield log
