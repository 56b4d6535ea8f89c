"""Whole runs in this process, against the simulator on a real socket."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from batcher.checkpoint import Checkpoint, ErrorChoice, Reserve
from batcher.engine.retry import Retrier
from batcher.executors import LocalExecutor
from batcher.job import CeilingSpec, JobSpec, load_job
from batcher.limits import Flow
from batcher.observe import Tally
from batcher.providers import Bearer, provider_named
from batcher.records import Exchange
from batcher.render import Renderer
from batcher.runs.calling import Callee, Timing
from batcher.runs.ceilings import Progress
from batcher.runs.directory import RunDirectory
from batcher.runs.live import LiveRun
from batcher.runs.pace import Pace
from batcher.runs.prepare import Preparation
from batcher.runs.result import RunResult
from batcher.runs.resume import Change
from batcher.runs.rows import open_dataset
from batcher.runs.session import Session
from batcher.simulator import SIMULATED_KEY, LedgerEntry, SimulatorConfig, read_ledger

AT_ONCE = SimulatorConfig(latency_s=0)


class QuickTime:
    """Time that passes only by waiting, and waits that take no time."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self.now += seconds
        await asyncio.sleep(0)

    def monotonic(self) -> float:
        """Return the seconds that were waited for."""
        return self.now

    def timing(self) -> Timing:
        """Return this as a run wants it."""
        return Timing(self.sleep, self.monotonic)


class Silent:
    """A watcher that shows nothing."""

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None: ...
    def attempted(self, row: int, exchange: Exchange) -> None: ...
    def pulse(self) -> None: ...
    def notice(self, text: str) -> None: ...
    def finished(self) -> None: ...


@dataclass
class Place:
    """An input file `prompts.jsonl` and its run directory, and what was asked on the way."""

    folder: Path
    asked: list[Change] = field(default_factory=list)

    @property
    def input(self) -> Path:
        return self.folder / "prompts.jsonl"

    @property
    def directory(self) -> RunDirectory:
        return RunDirectory(self.folder / "prompts.batch")

    def write(self, rows: Iterable[Mapping[str, object] | str]) -> None:
        """Write the input: objects as JSON, text as it is."""
        lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
        self.input.write_text("".join(f"{line}\n" for line in lines), "utf-8")

    def job(self, **flags: Any) -> JobSpec:  # noqa: ANN401 -- tables of a job file
        return load_job(
            None, {"input": [str(self.input)], "provider": {"model": "glm-4-flash"}, **flags}
        )

    def session(
        self,
        job: JobSpec | None = None,
        simulator: SimulatorConfig = AT_ONCE,
        *,
        consent: bool = True,
        stdin: bytes = b"",
        retry_errors: bool = False,
        only: ErrorChoice | None = None,
    ) -> Session:
        def answer(change: Change) -> bool:
            self.asked.append(change)
            return consent

        return Session(
            job=job or self.job(),
            callee=Callee(provider_named("glm"), (Bearer(SIMULATED_KEY),), simulator),
            watcher=Silent(),
            consent=answer,
            stdin=io.BytesIO(stdin),
            retry_errors=retry_errors,
            only=only,
            timing=QuickTime().timing(),
        )

    def run(self, *args: Any, **kwargs: Any) -> RunResult:  # noqa: ANN401 -- those of `session`
        return self.session(*args, **kwargs).run()

    def live(
        self,
        checkpoint: Checkpoint,
        reserve: Reserve,
        retrier: Retrier,
        job: JobSpec | None = None,
    ) -> LiveRun:
        """Return the part of a run that calls, with calls of the test's own."""
        job = job or self.job()
        return LiveRun(
            checkpoint,
            reserve,
            open_dataset(job, self.directory.path, io.BytesIO()),
            Preparation(Renderer(job), time.time),
            LocalExecutor(retrier),
            checkpoint.done(),
            on_recorded=lambda _outcome: None,
            on_pulse=lambda: None,
            on_notice=lambda _text: None,
            pace=Pace(lambda: Flow(0, 0)),
            progress=Progress(CeilingSpec()),
        )

    def ledger(self) -> list[LedgerEntry]:
        """Return what the simulator saw so far."""
        ledger = self.directory.ledger
        return read_ledger(ledger) if ledger.exists() else []

    def results(self) -> list[dict[str, Any]]:
        return pq.read_table(self.directory.results).to_pylist()

    def errors(self) -> list[dict[str, Any]]:
        return pq.read_table(self.directory.errors).to_pylist()
