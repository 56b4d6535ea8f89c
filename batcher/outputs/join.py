"""The input and the recorded outcomes, merged by row number in one pass and flat memory.

Each input row has `samples` outcomes: that of sample s of row r is numbered r * samples + s. The
columns of a row are repeated only for the piece that is being made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from batcher.errors import StorageError
from batcher.outputs.columns import array, by_column
from batcher.outputs.layout import ERROR, HEAD, SAMPLE, SOURCE, Layout
from batcher.recorded import Recorded

# Rows joined at a time, however large the batches of the input; fewer where their answers have
# more characters than this and one answer.
PIECE_ROWS = 2048
PIECE_TEXT = 8 * 1024 * 1024
# So many bytes may a piece's input columns have when they are repeated for each sample.
PIECE_BYTES = 64 * 1024 * 1024

_WAY_OUT = "the input or the checkpoint changed since they were compared: run the job again"


@dataclass(frozen=True, slots=True)
class Joined:
    """A piece of the input, divided: a batch of each schema (None where it would have no rows).

    `pending` counts the samples of rows that have no outcome.
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
    following = Following(outcomes, layout.samples, piece_text)
    for rows, recorded, count in pieces(batches, following):
        yield _divide(rows, recorded, count, layout)


class Numbered(Protocol):
    """What is recorded under a number, of which a row has one for each of its samples."""

    @property
    def row(self) -> int:
        """The number."""

    @property
    def size(self) -> int:
        """How many characters it holds."""


Item = TypeVar("Item", bound=Numbered)


class Following(Generic[Item]):
    """Recorded items, taken up to and including a number; `samples` numbers are one row's.

    `cut_short` is set where those taken held too many characters.
    """

    def __init__(self, items: Iterator[Item], samples: int, most_text: int = PIECE_TEXT) -> None:
        self._items = items
        self._most_text = most_text
        self.samples = samples
        self.next = next(items, None)
        self.cut_short = False

    def take(self, last: int) -> list[Item]:
        """Return the items not yet taken with numbers up to `last`.

        Raises:
            StorageError: they are out of order; they would be lost, or break that of the outputs.
        """
        taken: list[Item] = []
        text = 0
        while self.next is not None and self.next.row <= last and text < self._most_text:
            item = self.next
            taken.append(item)
            text += item.size
            self.next = next(self._items, None)
            if self.next is not None and self.next.row <= item.row:
                late = self.next.row // self.samples
                raise StorageError(f"the outcome of row {late} came out of order; {_WAY_OUT}")
        self.cut_short = self.next is not None and self.next.row <= last
        return taken


def pieces(
    batches: Iterator[pa.RecordBatch], following: Following[Item]
) -> Iterator[tuple[pa.RecordBatch, list[Item], int]]:
    """Yield pieces of the input: its rows, what is recorded for them, and how much could be.

    A piece may end within a row, and the next one then begins with the same.

    Raises:
        StorageError: something recorded belongs to no row of the input.
    """
    samples = following.samples
    for batch in batches:
        most = _most_records(batch, samples)
        start, stop = 0, batch.num_rows * samples
        while start < stop:
            first, last = start // samples, min(start + most, stop) - 1
            rows = batch.slice(first, last // samples - first + 1)
            taken = following.take(rows.column("row")[-1].as_py() * samples + last % samples)
            if following.cut_short:
                row, sample = divmod(taken[-1].row, samples)
                place = pc.index(rows.column("row"), row).as_py()
                if place >= 0:
                    rows, last = rows.slice(0, place + 1), (first + place) * samples + sample
            yield rows, taken, last - start + 1
            start = last + 1
    stray = following.next
    if stray is not None:
        raise StorageError(
            f"the outcome of row {stray.row // samples} has no row in the input; {_WAY_OUT}"
        )


def _most_records(batch: pa.RecordBatch, samples: int) -> int:
    if samples == 1:
        return PIECE_ROWS
    each = batch.nbytes // max(1, batch.num_rows) + 1
    return max(1, min(PIECE_ROWS, PIECE_BYTES // each))


def _divide(
    rows: pa.RecordBatch, recorded: Sequence[Recorded], count: int, layout: Layout
) -> Joined:
    """Divide the `count` records of `rows` by their outcomes."""
    answered = [outcome for outcome in recorded if outcome.error_class is None]
    failed = [outcome for outcome in recorded if outcome.error_class is not None]
    return Joined(
        results=_results(rows, answered, layout) if answered else None,
        errors=_errors(rows, failed, layout) if failed else None,
        pending=count - len(recorded),
    )


def _results(piece: pa.RecordBatch, answered: Sequence[Recorded], layout: Layout) -> pa.RecordBatch:
    columns = by_column(answered, layout.value)
    rows = take_rows(piece, [outcome.row // layout.samples for outcome in answered])
    check_ids(rows, columns["id"])
    ours = [array(columns[field.name], field.type) for field in layout.answer]
    head = _head(rows, answered, layout)
    return pa.RecordBatch.from_arrays([*head, *user_columns(rows), *ours], schema=layout.results)


def _errors(piece: pa.RecordBatch, failed: Sequence[Recorded], layout: Layout) -> pa.RecordBatch:
    columns = by_column(failed)
    columns["failed_at"] = columns["finished_at"]
    rows = take_rows(piece, [outcome.row // layout.samples for outcome in failed])
    ours = [array(columns[field.name], field.type) for field in ERROR]
    source = [rows.column(name) for name in SOURCE.names]
    head = _head(rows, failed, layout)
    return pa.RecordBatch.from_arrays(
        [*head, *user_columns(rows), *ours, *source], schema=layout.errors
    )


def _head(
    rows: pa.RecordBatch, recorded: Sequence[Recorded], layout: Layout
) -> list[pa.Array[Any]]:
    """Return row and id, and the sample where there are several."""
    head: list[pa.Array[Any]] = [rows.column(name) for name in HEAD.names]
    if layout.samples > 1:
        for outcome in recorded:
            row, sample = divmod(outcome.row, layout.samples)
            if sample != outcome.sample:
                raise StorageError(
                    f"the outcome of sample {sample} of row {row} is that of sample "
                    f"{outcome.sample}; {_WAY_OUT}"
                )
        head.append(pa.array([outcome.sample for outcome in recorded], SAMPLE.field(0).type))
    return head


def take_rows(piece: pa.RecordBatch, rows: Sequence[object]) -> pa.RecordBatch:
    """Return the input rows with these row numbers, in their order, each as often as named."""
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


def user_columns(rows: pa.RecordBatch) -> list[pa.Array[Any]]:
    """Return the user's columns; `flatten` carries the nulls of bad rows down."""
    user: Any = rows.column("input")
    columns: list[pa.Array[Any]] = user.flatten()
    return columns


def check_ids(rows: pa.RecordBatch, recorded: Sequence[object]) -> None:
    """Refuse an answer recorded for another id: it would stand beside a prompt not its own."""
    expected, found = rows.column("id"), array(recorded, pa.string())
    if not expected.equals(found):
        place = pc.index(pc.equal(expected, found), value=False).as_py()
        raise StorageError(
            f"row {rows.column('row')[place]} has the id {expected[place].as_py()!r}, but its "
            f"outcome is of {found[place].as_py()!r}; {_WAY_OUT}"
        )
