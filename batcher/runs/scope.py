"""How many rows a start of a run is about, and how they stand once its calls have ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

from batcher.checkpoint import CheckpointReader
from batcher.inputs import Dataset
from batcher.outputs import Exported
from batcher.recorded import Counts
from batcher.runs.description import State, state_of
from batcher.runs.selection import Portion, Selection
from batcher.runs.shard import Part


@dataclass(frozen=True, slots=True)
class Standing:
    """Sums over the whole run, the selected records that are `pending`, None where nobody knows.

    `state` is that of the whole run once no process works on it, and `chosen` names the rows that
    were selected where others are left.
    """

    counts: Counts
    pending: int | None
    state: State
    chosen: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Rows selected of an input of so many `rows`, None where that is yet to be counted."""

    selection: Selection
    rows: int | None

    @classmethod
    def of(
        cls,
        portion: Portion,
        samples: int,
        dataset: Dataset,
        part: Part | None,
        counted: int | None,
    ) -> Scope:
        """Return the scope of a portion; `counted` is how many rows the input is known to have.

        Raises:
            InputError: a file cannot be read, to count its rows.
        """
        rows = part.of_rows if part else counted
        if rows is None and portion.sample is not None:
            rows = dataset.count()
        return cls(Selection.of(portion, samples, rows, part), rows)

    @property
    def total(self) -> int | None:
        """The selected records; None where nobody knows."""
        return None if self.rows is None else self.selection.size(self.rows)

    def after(self, exported: Exported) -> Scope:
        """Return the scope once an export has read the input to its end."""
        if self.selection.part is not None:
            return self
        records = exported.results + exported.errors + exported.pending
        return replace(self, rows=records // self.selection.samples)

    def standing(self, checkpoint: CheckpointReader, total: int | None) -> Standing:
        """Return how the `total` selected records stand by what is recorded."""
        counts, selection, rows = checkpoint.counts(), self.selection, self.rows
        recorded, chosen = counts.rows, None
        whole = len(selection.part.rows) if selection.part else rows
        records = None if whole is None else whole * selection.samples
        state = state_of(counts.rows, records, working=False)
        if not selection.is_whole:
            recorded = selection.held(checkpoint.done())
            if rows is not None and state == "stopped":
                chosen = selection.named(rows)
        pending = None if total is None else max(0, total - recorded)
        return Standing(counts, pending, state, chosen)
