"""Published Parquet files, compared with the outcomes they were made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from batcher.outputs.columns import array, by_column
from batcher.outputs.layout import ERROR, SAMPLE, answer_schema
from batcher.recorded import Recorded
from batcher.structured import StructOf
from batcher.wording import counted

_BATCH_ROWS = 4096


def problems(
    path: Path,
    outcomes: Iterator[Recorded] | None,
    value: StructOf | None = None,
    samples: int = 1,
) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong with the results or errors at `path`.

    Every page is read against its checksum. `outcomes` are those that the file should hold, in row
    order; None compares nothing. `value` and `samples` are as in `export`. Memory stays flat.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield from _compared(path.name, file, outcomes, value, samples)
    except FileNotFoundError:
        yield f"{path.name} is missing"
    # KeyError: it lacks a column of ours.
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        yield f"{path.name} is damaged, or none of ours: {error}"


def _compared(
    name: str,
    file: pq.ParquetFile,
    outcomes: Iterator[Recorded] | None,
    value: StructOf | None,
    samples: int,
) -> Iterator[str]:
    expected = None if outcomes is None else _Expected(outcomes)
    last = -1
    for batch in file.iter_batches(_BATCH_ROWS):
        numbers = _numbers(batch, samples)
        if any(late <= early for early, late in zip([last, *numbers], numbers, strict=False)):
            yield f"{name} holds rows twice or out of order, near row {numbers[0] // samples}"
            return
        last = numbers[-1]
        if expected is not None:
            found = expected.up_to(numbers)
            yield from _differences(name, batch, numbers, found, value)
    if expected is not None:
        expected.finish()
        if expected.missing:
            yield f"{name} lacks {counted(expected.missing, 'row')} of those recorded"
        if expected.strays:
            yield f"{name} holds {counted(expected.strays, 'row')} not recorded as such"


def _numbers(batch: pa.RecordBatch, samples: int) -> list[int]:
    """Return the number of each row's outcome."""
    rows: list[Any] = batch.column("row").to_pylist()
    if samples == 1:
        return rows
    of_rows: list[Any] = batch.column(SAMPLE.names[0]).to_pylist()
    return [row * samples + sample for row, sample in zip(rows, of_rows, strict=True)]


class _Expected:
    """The outcomes that a file should hold, matched with the rows that it does hold."""

    def __init__(self, outcomes: Iterator[Recorded]) -> None:
        self._outcomes = outcomes
        self._next = next(outcomes, None)
        self.missing = 0
        self.strays = 0

    def up_to(self, rows: Sequence[int]) -> dict[int, Recorded]:
        """Return the outcomes of ascending `rows`; count those that either side lacks."""
        found: dict[int, Recorded] = {}
        present = set(rows)
        while self._next is not None and self._next.row <= rows[-1]:
            if self._next.row in present:
                found[self._next.row] = self._next
            else:
                self.missing += 1
            self._next = next(self._outcomes, None)
        self.strays += len(rows) - len(found)
        return found

    def finish(self) -> None:
        """Count what comes after the last row of the file."""
        if self._next is not None:
            self.missing += 1 + sum(1 for _ in self._outcomes)
            self._next = None


def _differences(
    name: str,
    batch: pa.RecordBatch,
    numbers: list[int],
    found: dict[int, Recorded],
    value: StructOf | None,
) -> Iterator[str]:
    """Say which columns of ours are not as recorded; the input's are no business of ours."""
    if not found:
        return
    ours = answer_schema(value) if "key" in batch.schema.names else ERROR
    places = pa.array([place for place, number in enumerate(numbers) if number in found])
    # Not the input's columns too: Arrow cannot take from all types.
    held = batch.select(["id", *ours.names]).take(places)
    columns = by_column(list(found.values()), value)
    columns["failed_at"] = columns["finished_at"]
    for field in (pa.field("id", pa.string()), *ours):
        wanted: pa.Array[Any] = array(columns[field.name], field.type)
        if not wanted.equals(held.column(field.name)):
            near = batch.column("row")[0].as_py()
            yield f"{name} differs from what is recorded in `{field.name}`, near row {near}"
