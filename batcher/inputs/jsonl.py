"""JSON Lines: each line that is not blank is a row, or the reason why it is none."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from batcher.errors import ErrorClass, RowError
from batcher.inputs.columns import Column, Inference, Place, record_batch
from batcher.inputs.files import InputFile
from batcher.inputs.identity import row_id
from batcher.inputs.interface import TEXT
from batcher.inputs.lines import MAX_LINE, Line, count_lines, find_line, read_lines
from batcher.inputs.objects import parse_object
from batcher.records import Failure, Mark, Prompt, Source
from batcher.storage import Stop, never

MARK_ROWS = 4096
# A batch of the export ends at either.
BATCH_ROWS = 4096
BATCH_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class JsonlReader:
    """Reads a JSON Lines file; `clock` stamps failures, lines above `longest` bytes are ones.

    `stop` ends the wait for a store that is silent.
    """

    file: InputFile
    id_column: str | None
    clock: Callable[[], float]
    longest: int = MAX_LINE
    stop: Stop = never

    def rows(
        self, start: Mark, on_mark: Callable[[Mark], object]
    ) -> Generator[Prompt | Failure, None, int]:
        """See `Reader.rows`; a mark is told of every 4,096 rows."""
        row = start.row
        name = self.file.name
        # Whoever reads no further closes the file here, and hears of it where that fails.
        with closing(self._lines(start.line, start.offset)) as lines:
            for line in lines:
                if (row - start.row) % MARK_ROWS == 0:
                    on_mark(Mark(row, start.file, line.number, line.offset))
                try:
                    id_, columns = self._read(row, line)
                except RowError as error:
                    source = Source(name, line.number, _text(line))
                    yield Failure(row, str(row), None, error.problem, (), self.clock(), source)
                else:
                    yield Prompt(row, id_, columns, Source(name, line.number))
                row += 1
        return row

    def infer(self, inference: Inference, start: Mark, rows: int | None = None) -> int:
        """See `Reader.infer`; lines that are no rows have no columns."""
        read = 0
        for line in islice(self._lines(start.line, start.offset), rows):
            read += 1
            try:
                _, columns = self._read(read, line)
            except RowError:
                continue
            inference.add_row(columns)
        return read

    def batches(
        self, start: Mark, columns: Sequence[Column], rows: int | None = None
    ) -> Generator[pa.RecordBatch, None, int]:
        """See `Reader.batches`."""
        row = start.row
        for lines in _chunks(islice(self._lines(start.line, start.offset), rows)):
            yield self._batch(row, lines, columns)
            row += len(lines)
        return row

    def place(self, front: Mark, row: int) -> Mark:
        """See `Reader.place`."""
        found = find_line(self.file, row - front.row, self.stop)
        if isinstance(found, int):
            return Mark(front.row + found, front.file + 1, line=1, offset=0)
        return Mark(row, front.file, found.number, found.offset)

    def count(self, stop: Callable[[], bool], start: Mark | None = None) -> int:
        """See `Reader.count`."""
        return count_lines(self.file, stop, offset=start.offset if start else 0)

    def _lines(self, number: int = 1, offset: int = 0) -> Generator[Line, None, None]:
        return read_lines(self.file, number, offset, self.longest, self.stop)

    def _read(self, row: int, line: Line) -> tuple[str, dict[str, Any]]:
        if not line.whole:
            raise RowError(
                ErrorClass.INVALID_ROW, f"the line is longer than {self.longest:,} bytes"
            )
        columns = parse_object(line.content)
        return row_id(columns, row, self.id_column), columns

    def _batch(
        self, first_row: int, lines: Sequence[Line], columns: Sequence[Column]
    ) -> pa.RecordBatch:
        ids: list[str] = []
        texts = [_text(line) for line in lines]
        rows: list[dict[str, Any] | None] = []
        for row, line in enumerate(lines, first_row):
            try:
                id_, values = self._read(row, line)
            except RowError:
                ids.append(str(row))
                rows.append(None)
            else:
                ids.append(id_)
                rows.append(values)
        present = [row or {} for row in rows]
        arrays = [
            column.of_values([row.get(column.field.name) for row in present]) for column in columns
        ]
        place = Place(first_row, ids, self.file.name, [line.number for line in lines], texts)
        return record_batch(place, columns, arrays, [row is None for row in rows])


def _text(line: Line) -> str:
    """Return the start of the line, whatever its bytes are."""
    # No character takes more than four bytes.
    return line.content[: 4 * TEXT].decode(errors="replace")[:TEXT]


def _chunks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Divide `lines` so that each part is bounded in rows and bytes."""
    chunk: list[Line] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line.content)
        if len(chunk) == BATCH_ROWS or size >= BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
