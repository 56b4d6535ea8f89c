"""How far a run is, from its checkpoint; also for other processes while it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from batcher.checkpoint import CheckpointReader
from batcher.errors import BatcherError, ErrorClass, StorageError
from batcher.money import NANOS
from batcher.observe import answer_lines, cost_lines, error_lines, uncounted_lines
from batcher.recorded import Counts
from batcher.runs.description import State, rows_of_run, state_of
from batcher.runs.directory import RunDirectory
from batcher.runs.examples import examples_of
from batcher.runs.remembered import Remembered
from batcher.runs.shard import Part
from batcher.wording import counted, extent, printable


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a run; `holder` names the process that works on it, if one does.

    `total` counts rows, or records where each row has several `samples`: those of the `part` of
    the input that the run is about, if it is not about all of it. Where they cannot be counted, it
    is None, and `uncounted` says why. `copy` is what run.json says of the copy of its checkpoint,
    if one is kept. `examples` are as in `Summary`.
    """

    directory: RunDirectory
    counts: Counts
    total: int | None
    simulated: bool
    holder: str | None
    samples: int = 1
    part: Part | None = None
    copy: Mapping[str, object] | None = None
    uncounted: str | None = None
    examples: Mapping[ErrorClass, str] = field(default_factory=dict)

    @property
    def pending(self) -> int | None:
        """Rows without an outcome; None where nobody knows."""
        return None if self.total is None else max(0, self.total - self.counts.rows)

    @property
    def state(self) -> State:
        """Whether a process works on it, and else whether all rows have an outcome."""
        return state_of(self.counts.rows, self.total, working=self.holder is not None)

    def facts(self) -> dict[str, object]:
        """Return the status as JSON values."""
        counts = self.counts
        return {
            "directory": str(self.directory.path),
            "state": self.state,
            "holder": self.holder,
            "simulated": self.simulated,
            "rows": None if self.total is None else self.total // self.samples,
            "samples": self.samples,
            "shard": self.part.facts() if self.part else None,
            "copy": self.copy,
            "results": counts.results,
            "errors": counts.error_rows,
            "pending": self.pending,
            "error_classes": {name.value: rows for name, rows in counts.errors.items()},
            "truncated": counts.truncated,
            "called": counts.called,
            "duplicates": counts.duplicates,
            "from_cache": counts.cached,
            "hit_rate": counts.hit_rate,
            "attempts": counts.attempts,
            "repairs": counts.repairs,
            "ambiguous_attempts": counts.ambiguous_attempts,
            "killed_calls": counts.killed_calls,
            "cut_short": counts.cut_short,
            "prompt_tokens": counts.prompt_tokens,
            "completion_tokens": counts.completion_tokens,
            "cached_tokens": counts.cached_tokens,
            "reasoning_tokens": counts.reasoning_tokens,
            "cost": counts.cost / NANOS,
            "possible_cost": counts.possible_cost / NANOS,
            "unpriced": counts.unpriced,
            "currency": counts.currency,
            "priced_by": counts.priced_by,
        }

    def lines(self) -> Iterator[str]:
        """Yield the status as lines to print."""
        counts = self.counts
        simulated = ", SIMULATED" if self.simulated else ""
        yield f"{self.directory.path}: {self.holder or self.state}{simulated}"
        if self.part is not None:
            yield f"  {self.part}"
        if self.total is None:
            yield f"  rows    {counts.rows:,} of an unknown number"
            yield printable(f"          {self.uncounted}")
        else:
            share = counts.rows / self.total if self.total else 1.0
            yield f"  rows    {counts.rows:,} of {extent(self.total, self.samples)} ({share:.1%})"
        found = f"{counted(counts.results, 'result')}, {counted(counts.error_rows, 'error')}"
        yield f"          {found}"
        yield from error_lines(counts, self.examples, 10)
        yield from answer_lines(counts, 10)
        yield f"  tokens  {counts.prompt_tokens:,} in, {counts.completion_tokens:,} out"
        yield from cost_lines(counts, 10)
        repairs = f", {counted(counts.repairs, 'repair')} among them" if counts.repairs else ""
        yield f"  calls   {counts.attempts:,}{repairs}"
        if counts.ambiguous_attempts or counts.killed_calls:
            yield (
                f"          possibly billed without an answer: {counts.ambiguous_attempts:,}, and "
                f"at most {counts.killed_calls:,} in flight when a process was killed"
            )
        yield from uncounted_lines(counts, 10)
        if self.copy is not None:
            made = self.copy.get("made_at")
            held = f"{self.copy.get('rows')} rows, of {made}" if made else "none was made yet"
            yield printable(f"  copy    {self.copy.get('url')}: {held}")


def status_of(directory: RunDirectory) -> Status:
    """Read the status of a run.

    Raises:
        StorageError: the directory holds no run.
    """
    with CheckpointReader.read(directory.checkpoint) as checkpoint:
        run = Remembered(checkpoint)
        rows, uncounted = rows_of_run(checkpoint, directory), None
        if rows is None:
            try:
                rows = run.dataset.count()
            except BatcherError as error:
                # What is recorded is known all the same.
                uncounted = str(error)
        return Status(
            directory=directory,
            counts=checkpoint.counts(),
            total=None if rows is None else rows * run.samples,
            simulated=run.simulated,
            holder=checkpoint.writer(),
            samples=run.samples,
            part=run.part,
            copy=_copy_of(directory),
            uncounted=uncounted,
            examples=examples_of(directory, texts=run.shows_texts),
        )


def _copy_of(directory: RunDirectory) -> Mapping[str, object] | None:
    """Return what run.json says of the copy of the checkpoint; None where it says nothing."""
    try:
        copy = directory.description_facts().get("copy")
    except StorageError:
        return None
    return copy if isinstance(copy, dict) else None
