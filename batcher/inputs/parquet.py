"""Parquet: each row of the table is a row; read by row groups, in batches of bounded size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from batcher.errors import ErrorClass, InputError, RowError
from batcher.inputs.columns import Column, Inference, Place, record_batch
from batcher.inputs.files import InputFile, reason_of
from batcher.inputs.identity import ID_COLUMNS, row_id
from batcher.inputs.interface import TEXT
from batcher.inputs.plain import NO_PLAIN_FORM, json_text, plain_rows
from batcher.records import Failure, Mark, Prompt, Source
from batcher.storage import Address, RemoteReader, Stop, never

BATCH_ROWS = 1024
BATCH_BYTES = 16 << 20
# Rows that are read to learn how large rows are.
_PROBE_ROWS = 8
# Columns are read from the disk in pieces of so many bytes, not whole.
_BUFFER = 256 << 10
# And from a store, where each piece is a request.
_REMOTE_BUFFER = 1 << 20

Row = dict[str, Any] | RowError


@dataclass(frozen=True, slots=True)
class ParquetReader:
    """Reads a Parquet file; `clock` stamps failures, `stop` ends the wait for a silent store."""

    file: InputFile
    id_column: str | None
    clock: Callable[[], float]
    stop: Stop = never

    def rows(
        self, start: Mark, on_mark: Callable[[Mark], object]
    ) -> Generator[Prompt | Failure, None, int]:
        """See `Reader.rows`; a mark is told of at each row group, and those before are skipped."""
        base = start.row - start.offset
        with self._opened() as parquet:
            for group, first, end in _groups(parquet):
                if end <= start.offset:
                    continue
                at = max(first, start.offset)
                on_mark(Mark(base + at, start.file, at + 1, at))
                for batch in _after(at - first, _read(parquet, group)):
                    for line, values in enumerate(_rows(batch), at + 1):
                        yield self._item(base + line - 1, line, values)
                    at += batch.num_rows
            return base + parquet.metadata.num_rows

    def infer(self, inference: Inference, start: Mark, rows: int | None = None) -> int:
        """See `Reader.infer`; the file says it itself."""
        with self._opened() as parquet:
            for field in parquet.schema_arrow:
                inference.add_field(field)
            held: int = parquet.metadata.num_rows - start.offset
        return held if rows is None else min(held, rows)

    def batches(
        self, start: Mark, columns: Sequence[Column], rows: int | None = None
    ) -> Generator[pa.RecordBatch, None, int]:
        """See `Reader.batches`.

        A row is bad by its id only: values that have no plain form still have their own.
        """
        row, base = start.row, start.row - start.offset
        with self._opened() as parquet:
            for group, first, end in _groups(parquet):
                if end <= start.offset:
                    continue
                for batch in _after(max(0, start.offset - first), _read(parquet, group)):
                    if rows is not None:
                        batch = batch.slice(0, start.row + rows - row)  # noqa: PLW2901 -- its rest
                    if batch.num_rows:
                        yield self._batch(row, row - base + 1, batch, columns)
                    row += batch.num_rows
                    if rows is not None and row >= start.row + rows:
                        return row
        return row

    def place(self, front: Mark, row: int) -> Mark:
        """See `Reader.place`; the row itself says it."""
        offset, rows = row - front.row, self.count(self.stop)
        if offset >= rows:
            return Mark(front.row + rows, front.file + 1, line=1, offset=0)
        return Mark(row, front.file, offset + 1, offset)

    def count(
        self,
        stop: Callable[[], bool],  # noqa: ARG002 # the footer says it at once
        start: Mark | None = None,
    ) -> int:
        """See `Reader.count`."""
        with self._opened() as parquet:
            held: int = parquet.metadata.num_rows
        return held - (start.offset if start else 0)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        """Open the file; all that goes wrong with it within the context becomes InputError."""
        name = self.file.name
        try:
            with self._file() as parquet:
                names = parquet.schema_arrow.names
                if len(set(names)) < len(names):
                    twice = next(one for one in names if names.count(one) > 1)
                    raise InputError(f"{name} has two columns called `{twice}`")
                yield parquet
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"cannot read {name}: {reason_of(error)}") from None

    def _file(self) -> pq.ParquetFile:
        place: Any = self.file.place
        buffer = _BUFFER
        if self.file.held is not None:
            place = pa.BufferReader(self.file.held)
        elif isinstance(place, Address):
            place, buffer = RemoteReader(place, ahead=False, stop=self.stop), _REMOTE_BUFFER
        return pq.ParquetFile(place, buffer_size=buffer, page_checksum_verification=True)

    def _item(self, row: int, line: int, values: Row) -> Prompt | Failure:
        try:
            if isinstance(values, RowError):
                raise values
            id_ = row_id(values, row, self.id_column)
        except RowError as error:
            source = Source(self.file.name, line, _text(values))
            return Failure(row, str(row), None, error.problem, (), self.clock(), source)
        return Prompt(row, id_, values, Source(self.file.name, line))

    def _batch(
        self, first_row: int, first_line: int, batch: pa.RecordBatch, columns: Sequence[Column]
    ) -> pa.RecordBatch:
        arrays = [self._array(batch, column) for column in columns]
        lines = range(first_line, first_line + batch.num_rows)
        good_ids = self._good_ids(batch)
        if good_ids is not None:
            place = Place(first_row, good_ids, self.file.name, lines, [None] * batch.num_rows)
            return record_batch(place, columns, arrays, [False] * batch.num_rows)
        ids: list[str] = []
        texts: list[str | None] = []
        bad: list[bool] = []
        for index, values in enumerate(_rows(batch.select(self._id_columns(batch)))):
            row = first_row + index
            item = self._item(row, first_line + index, values)
            ids.append(item.id)
            is_bad = isinstance(item, Failure)
            texts.append(_text(_rows(batch.slice(index, 1))[0]) if is_bad else None)
            bad.append(is_bad)
        place = Place(first_row, ids, self.file.name, lines, texts)
        return record_batch(place, columns, arrays, bad)

    def _good_ids(self, batch: pa.RecordBatch) -> pa.Array[Any] | None:
        """Return the ids as they stand, where the column as a whole shows that none is bad."""
        names = self._id_columns(batch)
        ids: Any = batch.column(names[0]) if names else None
        if ids is None or not types.is_string(ids.type) or ids.null_count:
            return None
        if not pc.min(pc.binary_length(ids)).as_py():
            return None
        try:
            # Whether all of it is UTF-8.
            ids.validate(full=True)
        except pa.ArrowInvalid:
            return None
        found: pa.Array[Any] = ids
        return found

    def _id_columns(self, batch: pa.RecordBatch) -> list[str]:
        wanted = ID_COLUMNS if self.id_column is None else (self.id_column,)
        return [name for name in wanted if name in batch.schema.names]

    def _array(self, batch: pa.RecordBatch, column: Column) -> pa.Array[Any]:
        name = column.field.name
        if name not in batch.schema.names:
            missing: pa.Array[Any] = pa.nulls(batch.num_rows, column.field.type)
            return missing
        try:
            return column.of_array(batch.column(name))
        except NO_PLAIN_FORM as error:
            raise InputError(
                f"{self.file.name}: the column `{name}` has another type in another file, and "
                f"a value that is no JSON either: {error}"
            ) from None


def _groups(parquet: pq.ParquetFile) -> Iterator[tuple[int, int, int]]:
    """Yield each row group that has rows, with its first row and the one after its last."""
    first = 0
    for group in range(parquet.num_row_groups):
        rows = parquet.metadata.row_group(group).num_rows
        if rows:
            yield group, first, first + rows
        first += rows


def _read(parquet: pq.ParquetFile, group: int) -> Iterator[pa.RecordBatch]:
    """Yield a row group in batches, of few rows where rows are large."""
    probe = next(parquet.iter_batches(_PROBE_ROWS, row_groups=[group]))
    facts = parquet.metadata.row_group(group)
    # A value that stands often is stored once, so what is stored may say too little.
    size = max(probe.nbytes // probe.num_rows, facts.total_byte_size // facts.num_rows, 1)
    rows = min(max(BATCH_BYTES // size, 1), BATCH_ROWS)
    yield from parquet.iter_batches(rows, row_groups=[group])


def _after(rows: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield `batches` without their first `rows` rows."""
    for batch in batches:
        if rows < batch.num_rows:
            yield batch.slice(rows)
        rows = max(0, rows - batch.num_rows)


def _rows(batch: pa.RecordBatch) -> Sequence[Row]:
    """Return the rows as plain values; one that has no plain form is an error of its own."""
    try:
        return plain_rows(batch)
    except NO_PLAIN_FORM as error:
        if batch.num_rows > 1:
            return [row for index in range(batch.num_rows) for row in _rows(batch.slice(index, 1))]
        return [RowError(ErrorClass.INVALID_ROW, f"a value cannot be read: {error}")]


def _text(values: Row) -> str | None:
    """Return the start of the row as JSON, if it can be read at all."""
    return None if isinstance(values, RowError) else json_text(values)[:TEXT]
