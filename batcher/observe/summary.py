"""What a person reads when a run has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batcher.errors import ErrorClass
from batcher.limits import Concurrency
from batcher.observe.answers import answer_lines, error_lines
from batcher.observe.cost import cost_lines, uncounted_lines
from batcher.observe.tally import Tally
from batcher.recorded import Counts
from batcher.wording import counted, extent, printable


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run: `counts` are of the whole run, `tally` and `wall_s` of this process.

    `pending` is None where the rows of the input were not counted to the end. `unexported` says why
    the files were not written, where they were not. `cache` says that there was one.
    Each of a row's `samples` is counted for itself. `part` says which rows of the input the run is
    about, where it is not all. `report` is where that is, or why it is nowhere; None where none is
    wanted. `to` is the URL where the files are put as well, and `undelivered` why not all of them
    are there. `copy` says how the copy of the checkpoint stands. `examples` have a line for
    the first row of each class of errors.
    """

    ended: str
    counts: Counts
    pending: int | None
    tally: Tally
    wall_s: float
    results_path: Path
    errors_path: Path
    simulated: bool
    concurrency: Concurrency
    unexported: str | None = None
    report: Path | str | None = None
    to: str | None = None
    undelivered: str | None = None
    cache: bool = False
    samples: int = 1
    part: str | None = None
    copy: str | None = None
    examples: Mapping[ErrorClass, str] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yield the lines to print."""
        counts, tally = self.counts, self.tally
        if self.simulated:
            yield "SIMULATED: these answers come from the simulator; no model was called."
        yield printable(self.ended)
        if self.part is not None:
            yield f"  part      {self.part}"
        yield from row_lines(counts, self.pending, self.samples, self.examples)
        yield from answer_lines(counts, 12, cache=self.cache)
        yield (
            f"  attempts  {counts.attempts:,} for rows that are done; in this process "
            f"{tally.attempts:,}, {tally.retries:,} of them "
            f"{'a retry' if tally.retries == 1 else 'retries'}"
        )
        yield from spent_lines(counts)
        rate = tally.rows / self.wall_s if self.wall_s else 0.0
        yield f"  calls     {_in_flight(self.concurrency)}"
        yield f"  time      {self.wall_s:,.1f} s, {rate:,.1f} rows/s"
        quantiles = [(name, tally.latency(share)) for name, share in _QUANTILES]
        if all(value is not None for _, value in quantiles):
            yield "  latency   " + ", ".join(f"{name} {value:.2f} s" for name, value in quantiles)
        yield from file_lines(self)
        if self.copy is not None:
            yield f"  copy      {printable(self.copy)}"


@dataclass(frozen=True, slots=True)
class MergeSummary:
    """The end of a merge: how it `ended`, what it made, and what is pending `where`.

    Its counts are of all that was merged; the other fields are as in `Summary`.
    """

    ended: str
    counts: Counts
    pending: int | None
    where: Sequence[str]
    results_path: Path
    errors_path: Path
    simulated: bool
    unexported: str | None = None
    report: Path | str | None = None
    to: str | None = None
    undelivered: str | None = None
    samples: int = 1
    examples: Mapping[ErrorClass, str] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yield the lines to print."""
        counts = self.counts
        if self.simulated:
            yield "SIMULATED: these answers come from the simulator; no model was called."
        yield printable(self.ended)
        yield from row_lines(counts, self.pending, self.samples, self.examples)
        for line in self.where:
            yield printable(f"            {line}")
        yield from answer_lines(counts, 12)
        yield f"  attempts  {counts.attempts:,}"
        yield from spent_lines(counts)
        yield from file_lines(self)


def file_lines(end: Summary | MergeSummary) -> Iterator[str]:
    """Yield where the files are, and the URL where they are as well; or why they are not there."""
    if end.unexported is not None:
        yield f"  results   {printable(end.unexported)}"
        return
    yield f"  results   {end.results_path}"
    yield f"  errors    {end.errors_path}"
    if end.report is not None:
        yield f"  report    {end.report}"
    if end.undelivered is not None:
        yield f"  to        {printable(end.undelivered)}"
        yield (
            "            Nothing is lost: the same command puts the files there, or "
            f"`batcher export {end.results_path.parent} --to {end.to}`"
        )
    elif end.to is not None:
        yield f"  to        {end.to}"


def row_lines(
    counts: Counts, pending: int | None, samples: int, examples: Mapping[ErrorClass, str]
) -> Iterator[str]:
    """Yield what became of the rows."""
    found = f"{counted(counts.results, 'result')}, {counted(counts.error_rows, 'error')}"
    if pending is None:
        yield f"  rows      {found}, the rest pending"
    else:
        yield f"  rows      {extent(counts.rows + pending, samples)}: {found}, {pending:,} pending"
    yield from error_lines(counts, examples, 12)
    if counts.truncated:
        yield f"            {counted(counts.truncated, 'result')} cut at max_tokens (length)"


def spent_lines(counts: Counts) -> Iterator[str]:
    """Yield what the rows took."""
    if counts.repairs:
        yield (
            f"            {counted(counts.repairs, 'repair')}: asked again, since an answer "
            "did not hold what [output] wants"
        )
    if counts.ambiguous_attempts:
        yield (
            f"            {counts.ambiguous_attempts:,} sent without a whole answer coming "
            "back: possibly billed"
        )
    if counts.killed_calls:
        yield (
            f"            at most {counts.killed_calls:,} more were in flight when a process "
            "was killed: possibly billed twice"
        )
    yield from uncounted_lines(counts, 12)
    yield (
        f"  tokens    {counts.prompt_tokens:,} in ({counts.cached_tokens:,} cached), "
        f"{counts.completion_tokens:,} out ({counts.reasoning_tokens:,} reasoning)"
    )
    yield from cost_lines(counts, 12)


def _in_flight(calls: Concurrency) -> str:
    how = "--concurrency" if calls.fixed else "found"
    throttled = f"; {calls.throttled:,} throttled" if calls.throttled else ""
    return f"at most {calls.peak:,} in flight; limit {calls.limit:,} ({how}){throttled}"


_QUANTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
