"""The input and the recorded outcomes, merged by row number in one pass and flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import lt
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from batcher.errors import StorageError
from batcher.outputs.columns import array, by_column
from batcher.outputs.layout import ERROR, HEAD, SOURCE, Layout
from batcher.recorded import Recorded

# Rows joined at a time, however large the batches of the input; fewer where their answers have
# more characters than this and one answer.
PIECE_ROWS = 2048
PIECE_TEXT = 8 * 1024 * 1024

_WAY_OUT = "the input or the checkpoint changed since they were compared: run the job again"


@dataclass(frozen=True, slots=True)
class Joined:
    """A piece of the input, divided: a batch of each schema (None where it would have no rows).

    `pending` counts the rows that have no outcome.
    """

    results: pa.RecordBatch | None
    errors: pa.RecordBatch | None
    pending: int


def join(
    batches: Iterator[pa.RecordBatch],
    outcomes: Iterator[Recorded],
    layout: Layout,
    piece_text: int = PIECE_TEXT,
) -> Iterator[Joined]:
    """Give each input row its outcome; both inputs are in ascending order of rows.

    Raises:
        StorageError: an outcome belongs to no row of the input, or to a row with another id.
    """
    recorded = _UpTo(outcomes, piece_text)
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, PIECE_ROWS)
            taken = recorded.take(piece.column("row")[-1].as_py())
            if recorded.cut_short:
                place = pc.index(piece.column("row"), taken[-1].row).as_py()
                piece = piece.slice(0, place + 1) if place >= 0 else piece
            yield _divide(piece, taken, layout)
            start += piece.num_rows
    stray = recorded.next
    if stray is not None:
        raise StorageError(f"the outcome of row {stray.row} has no row in the input; {_WAY_OUT}")


class _UpTo:
    """Outcomes, taken up to and including a row; `cut_short` where their texts were too long."""

    def __init__(self, outcomes: Iterator[Recorded], most_text: int) -> None:
        self._outcomes = outcomes
        self.next = next(outcomes, None)
        self.cut_short = False
        self._most_text = most_text

    def take(self, last: int) -> list[Recorded]:
        """Return the outcomes not yet taken with rows up to `last`."""
        taken: list[Recorded] = []
        text = 0
        while self.next is not None and self.next.row <= last and text < self._most_text:
            taken.append(self.next)
            text += sum(len(part) for part in _texts(self.next) if part)
            self.next = next(self._outcomes, None)
        self.cut_short = self.next is not None and self.next.row <= last
        return taken


def _texts(outcome: Recorded) -> tuple[str | None, ...]:
    return outcome.response, outcome.reasoning, outcome.tool_calls, outcome.output


def _divide(piece: pa.RecordBatch, recorded: Sequence[Recorded], layout: Layout) -> Joined:
    """Divide the rows of `piece` by their outcomes."""
    _check_order(recorded)
    answered = [outcome for outcome in recorded if outcome.error_class is None]
    failed = [outcome for outcome in recorded if outcome.error_class is not None]
    return Joined(
        results=_results(piece, answered, layout) if answered else None,
        errors=_errors(piece, failed, layout.errors) if failed else None,
        pending=piece.num_rows - len(recorded),
    )


def _results(piece: pa.RecordBatch, answered: Sequence[Recorded], layout: Layout) -> pa.RecordBatch:
    columns = by_column(answered, layout.value)
    rows = _take(piece, columns["row"])
    _check_ids(rows, columns["id"])
    ours = [array(columns[field.name], field.type) for field in layout.answer]
    return pa.RecordBatch.from_arrays([*_input(rows), *ours], schema=layout.results)


def _errors(piece: pa.RecordBatch, failed: Sequence[Recorded], schema: pa.Schema) -> pa.RecordBatch:
    columns = by_column(failed)
    columns["failed_at"] = columns["finished_at"]
    rows = _take(piece, columns["row"])
    ours = [array(columns[field.name], field.type) for field in ERROR]
    source = [rows.column(name) for name in SOURCE.names]
    return pa.RecordBatch.from_arrays([*_input(rows), *ours, *source], schema=schema)


def _take(piece: pa.RecordBatch, rows: Sequence[object]) -> pa.RecordBatch:
    """Return the input rows with these row numbers, in their order."""
    wanted: pa.Array[Any] = pa.array(rows, pa.int64())
    present: pa.Array[Any] = piece.column("row")
    if wanted.equals(present):
        return piece
    places = pc.index_in(wanted, value_set=present)
    if places.null_count:
        stray = wanted.filter(places.is_null())[0].as_py()
        raise StorageError(f"the outcome of row {stray} has no row in the input; {_WAY_OUT}")
    try:
        return piece.take(places)
    except pa.ArrowNotImplementedError:
        # Arrow cannot take from columns of string or binary views, but it can join slices of them.
        numbers: list[Any] = places.to_pylist()
        table = pa.Table.from_batches([piece.slice(number, 1) for number in numbers])
        (joined,) = table.combine_chunks().to_batches()
        return joined


def _input(rows: pa.RecordBatch) -> list[pa.Array[Any]]:
    """Return row, id and the user's columns; `flatten` carries the nulls of bad rows down."""
    user: Any = rows.column("input")
    return [*(rows.column(name) for name in HEAD.names), *user.flatten()]


def _check_order(recorded: Sequence[Recorded]) -> None:
    """Refuse outcomes out of order: they would be lost, or break the order of the outputs."""
    rows = [outcome.row for outcome in recorded]
    if not all(map(lt, rows, rows[1:])):
        late = next(late for early, late in pairwise(rows) if late <= early)
        raise StorageError(f"the outcome of row {late} came out of order; {_WAY_OUT}")


def _check_ids(rows: pa.RecordBatch, recorded: Sequence[object]) -> None:
    """Refuse an answer recorded for another id: it would stand beside a prompt not its own."""
    expected, found = rows.column("id"), array(recorded, pa.string())
    if not expected.equals(found):
        place = pc.index(pc.equal(expected, found), value=False).as_py()
        raise StorageError(
            f"row {rows.column('row')[place]} has the id {expected[place].as_py()!r}, but its "
            f"outcome is of {found[place].as_py()!r}; {_WAY_OUT}"
        )
