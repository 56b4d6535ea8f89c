"""What a merge made: its outputs, and what is told of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import batcher
from batcher.checkpoint import CheckpointReader, RowSet
from batcher.errors import (
    BatcherError,
    InputError,
    RowsPendingError,
    StorageError,
    TooManyRowErrorsError,
)
from batcher.inputs import Dataset
from batcher.job import JobSpec, job_with
from batcher.observe import MergeSummary
from batcher.outputs import Exported
from batcher.runs.delivery import Delivery, delivered
from batcher.runs.description import Description, ended_facts, state_of
from batcher.runs.directory import RunDirectory
from batcher.runs.examples import examples_of
from batcher.runs.export import export
from batcher.runs.report import reported
from batcher.runs.sources import SourceRun, job_of
from batcher.wording import counted


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge made: its summary, and the job whose word on errors counts."""

    directory: RunDirectory
    summary: MergeSummary
    job: JobSpec

    @property
    def exit_code(self) -> int:
        """What a process ends with that made it."""
        summary, counts = self.summary, self.summary.counts
        if summary.pending != 0:
            return RowsPendingError.exit_code
        if summary.unexported is not None:
            return InputError.exit_code
        if summary.undelivered is not None:
            return StorageError.exit_code
        if self.job.output.allows(counts.error_rows, counts.rows):
            return 0
        return TooManyRowErrorsError.exit_code


def published(
    sources: Sequence[SourceRun],
    empty: Sequence[RunDirectory],
    to: RunDirectory,
    dataset: Dataset | None,
) -> Merged:
    """Write results, errors, description and report of what is merged."""
    first, samples = sources[0], sources[0].samples
    tables = job_of(sources)
    job = job_with(tables, {}, f"the job of {first.directory.path}")
    exported: Exported | None = None
    with CheckpointReader.read(to.checkpoint) as checkpoint:
        if dataset is not None:
            exported = export(checkpoint, dataset, to.path)
        counts, done = checkpoint.counts(), checkpoint.done()
        fingerprint = checkpoint.fact("fingerprint")
    rows = next((source.rows for source in sources if source.rows is not None), None)
    if exported is not None:
        rows = (exported.results + exported.errors + exported.pending) // samples
    records = None if rows is None else rows * samples
    pending = None if records is None else max(0, records - counts.rows)
    state = state_of(counts.rows, records, working=False)
    Description(
        to,
        {
            "batcher": batcher.__version__,
            "simulated": first.simulated,
            "job": tables,
            "input": [] if dataset is None else dataset.names,
            "fingerprint": fingerprint,
            "merged": [str(source.directory.path) for source in sources],
            "pid": os.getpid(),
            **ended_facts(counts, rows, samples, pending, state),
        },
    )
    report = None
    if exported is not None and job.observe.report:
        report = reported(to, job.observe)
    undelivered = None
    if exported is not None and job.output.to is not None:
        undelivered = _delivered(to, job.output.to, report=isinstance(report, Path))
    ended = f"Merged: {counted(len(sources), 'run')}."
    if pending != 0:
        ended += (
            f" Rows are pending; `batcher run INPUT -o {to.path}`, with the same job, calls just "
            "those."
        )
    summary = MergeSummary(
        ended=ended,
        counts=counts,
        pending=pending,
        where=tuple(_where(sources, empty, done, rows)),
        results_path=to.results,
        errors_path=to.errors,
        simulated=first.simulated,
        unexported=None if exported else _UNEXPORTED.format(path=to.path),
        report=report,
        to=job.output.to,
        undelivered=undelivered,
        samples=samples,
        examples=examples_of(to, texts=job.observe.report_samples),
    )
    return Merged(to, summary, job)


_UNEXPORTED = (
    "not written: the input is not here as it was run. Put it back and `batcher export {path}`; or "
    "`batcher run INPUT -o {path}` takes up a changed one, and calls only what is new"
)


def _delivered(directory: RunDirectory, url: str, *, report: bool) -> str | None:
    """Put the files where the job wants them too; return why they are not there, if so."""
    try:
        Delivery.to(url).put(directory.path, delivered(report=report))
    except BatcherError as error:
        return str(error)
    return None


def _where(
    sources: Sequence[SourceRun], empty: Sequence[RunDirectory], done: RowSet, rows: int | None
) -> Iterator[str]:
    """Say which runs lack rows, and which rows are in none of them."""
    samples = sources[0].samples

    def missing(part: range) -> int:
        held = done.count_before(part.stop * samples) - done.count_before(part.start * samples)
        return len(part) * samples - held

    for source in sources:
        path = source.directory.path
        if source.part is not None and (lacks := missing(source.part.rows)):
            yield f"{lacks:,} pending of {source.part} ({path})"
        if source.holder is not None:
            yield f"{path} goes on ({source.holder}): what it had by now is merged"
    for directory in empty:
        yield f"{directory.path} has not begun"
    if rows is not None and all(source.part for source in sources):
        at = 0
        parts = sorted(
            (source.part.rows for source in sources if source.part), key=lambda part: part.start
        )
        for part in (*parts, range(rows, rows)):
            if part.start > at and (lacks := missing(range(at, part.start))):
                yield f"{lacks:,} pending of rows {at:,} to {part.start - 1:,}, in none of these"
            at = max(at, part.stop)
