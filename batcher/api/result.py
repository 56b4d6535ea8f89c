"""What a run comes back with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from batcher.api.words import PYTHON
from batcher.errors import StorageError
from batcher.history import Ended
from batcher.inputs import ArrowStream
from batcher.job import OutputSpec
from batcher.money import NANOS, amount
from batcher.observe import MergeSummary, Summary
from batcher.outputs import read_batches
from batcher.runs.merged import Merged
from batcher.runs.result import RunResult
from batcher.wording import counted


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. Counts are of the whole run directory, earlier starts among them.

    Attributes:
        directory: Where the run lies: checkpoint, `results.parquet`, `errors.parquet`, log.
        ok: Whether every row has its outcome, no more of them are errors than allowed, and all is
            written, also at the URLs where it is wanted.
        halted: Why the run stopped with rows pending: balance, a ceiling, an outage, a full disk,
            an input that cannot be read to its end; the same call goes on with them. None where it
            did not.
        succeeded: Rows that have an answer.
        failed: Rows that ended in an error.
        pending: Rows that have no outcome yet, of those that `limit` or `sample` chose; None where
            the input was not counted to its end.
        error_classes: How many rows ended in which class of error (docs/errors.md).
        attempts: Calls made.
        prompt_tokens: Tokens that went in, as the provider counted them.
        completion_tokens: Tokens that came out.
        cached_tokens: Tokens that went in and were in the provider's cache.
        reasoning_tokens: Tokens that came out as reasoning.
        cost: What all answers cost in `currency`; None where no price is known.
        possible_cost: The most that calls without a whole answer can have cost beside it.
        currency: The currency of both.
        simulated: Whether a simulator answered in the place of a model.
        report: The page that shows what the run was like; None where there is none of this end.
        exported: Whether the Parquet files were written; else `batcher export` does it.
        summary: The same in lines, as `batcher run` prints it; with arguments for its options.
        results_path: Where the results are, once they are written.
        errors_path: Where the rows are that ended in an error.
    """

    directory: Path
    ok: bool
    halted: str | None
    succeeded: int
    failed: int
    pending: int | None
    error_classes: Mapping[str, int]
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost: float | None
    possible_cost: float | None
    currency: str | None
    simulated: bool
    report: Path | None
    exported: bool
    summary: str
    results_path: Path
    errors_path: Path

    def results(self) -> pa.RecordBatchReader:
        """Read `results.parquet`, batch by batch: the input's columns with their types, and ours.

        Raises:
            StorageError: it was not written, or is gone or damaged.
        """
        return self._read(self.results_path)

    def errors(self) -> pa.RecordBatchReader:
        """Read `errors.parquet` in the same way."""
        return self._read(self.errors_path)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Offer the results to any library that reads Arrow, as in `polars.DataFrame(result)`."""
        stream: ArrowStream = self.results()
        return stream.__arrow_c_stream__(requested_schema)

    def __str__(self) -> str:
        return self.summary

    def __repr__(self) -> str:
        known = [
            counted(self.succeeded, "result"),
            counted(self.failed, "error"),
            "some pending" if self.pending is None else f"{self.pending:,} pending",
        ]
        if self.currency is not None and self.cost is not None:
            known.append(f"{amount(round(self.cost * NANOS))} {self.currency}")
        if self.halted is not None:
            known.append("halted")
        if self.simulated:
            known.append("SIMULATED")
        return f"<batcher.Result {self.directory}: {', '.join(known)}>"

    def _read(self, path: Path) -> pa.RecordBatchReader:
        if not self.exported:
            raise StorageError(
                f"{path} was not written, as `summary` says; make the same call again, or "
                f"`batcher export {self.directory}`"
            )
        return read_batches(path)


def result_of(run: RunResult, output: OutputSpec) -> Result:
    """Return what a run that ended in order comes back with."""
    summary, counts = run.summary, run.summary.counts
    halted = summary.ended if run.ended in (Ended.HALTED, Ended.DISK_FULL) else None
    exported = summary.unexported is None
    brought = exported and summary.undelivered is None and run.copied is not False
    whole = summary.pending == 0 and brought and not run.disk_full
    ok = whole and output.allows(counts.error_rows, counts.rows)
    return _result(summary, ok=ok, halted=halted, exported=exported)


def result_of_merge(merged: Merged) -> Result:
    """Return what a merge comes back with."""
    summary = merged.summary
    exported = summary.unexported is None
    return _result(summary, ok=merged.exit_code == 0, halted=None, exported=exported)


def _result(
    summary: Summary | MergeSummary, *, ok: bool, halted: str | None, exported: bool
) -> Result:
    counts = summary.counts
    priced = counts.currency is not None
    return Result(
        directory=summary.results_path.parent,
        ok=ok,
        halted=None if halted is None else PYTHON.of(halted),
        succeeded=counts.results,
        failed=counts.error_rows,
        pending=summary.pending,
        error_classes={name.value: rows for name, rows in counts.errors.items()},
        attempts=counts.attempts,
        prompt_tokens=counts.prompt_tokens,
        completion_tokens=counts.completion_tokens,
        cached_tokens=counts.cached_tokens,
        reasoning_tokens=counts.reasoning_tokens,
        cost=counts.cost / NANOS if priced else None,
        possible_cost=counts.possible_cost / NANOS if priced else None,
        currency=counts.currency,
        simulated=summary.simulated,
        report=summary.report if isinstance(summary.report, Path) else None,
        exported=exported,
        summary=PYTHON.of("\n".join(summary.lines())),
        results_path=summary.results_path,
        errors_path=summary.errors_path,
    )
