"""Rows in memory, kept as a file: dicts as JSON Lines, Arrow data as Parquet with its types."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from batcher.errors import InputError
from batcher.inputs.files import InputFile
from batcher.inputs.spool import ROWS_JSONL, ROWS_PARQUET, fresh, keeping, newest
from batcher.wording import kind_of

NAME = "rows"
"""What messages and the column `source_file` call the input."""

# Lines are written in pieces of so many bytes.
_PIECE = 1 << 20
# A row group ends at either; rows are gathered in steps.
_GROUP_ROWS = 64 * 1024
_GROUP_BYTES = 32 << 20
_STEP = 1024


@runtime_checkable
class ArrowStream(Protocol):
    """A table of pandas, Polars, DuckDB, pyarrow or another library: Arrow's PyCapsule interface.

    https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
    """

    def __arrow_c_stream__(
        self,
        requested_schema: object | None = None,
    ) -> object:
        """Return a capsule that holds a stream of record batches."""


@runtime_checkable
class ArrowArray(Protocol):
    """A single record batch, by the same interface."""

    def __arrow_c_array__(
        self,
        requested_schema: object | None = None,
    ) -> object:
        """Return two capsules that hold a schema and a struct array."""


Rows = Iterable[Mapping[str, Any]] | ArrowStream | ArrowArray
"""What holds rows in memory. An iterable is gone through once."""


def spool_rows(rows: Rows, directory: Path, check: Callable[[], None]) -> InputFile:
    """Write `rows` into `directory`, readable by its owner only; memory stays flat.

    `check` is called now and then, and may raise. The copy takes the place of an earlier one only
    when `keep_spooled` says so. What an iterable raises is passed on.

    Raises:
        InputError: a row is no mapping, or holds what JSON or Parquet cannot.
        StorageError: the copy cannot be written.
    """
    if isinstance(rows, ArrowStream | ArrowArray):
        spooled = directory / ROWS_PARQUET
        with fresh(spooled, NAME) as file:
            _write_parquet(_opened(rows), file, check)
        return InputFile(newest(spooled, NAME), NAME, "parquet", None)
    spooled = directory / ROWS_JSONL
    with fresh(spooled, NAME) as file:
        for piece in _pieces(rows, check):
            with keeping(NAME):
                file.write(piece)
    return InputFile(newest(spooled, NAME), NAME, "jsonl", None)


def _pieces(rows: Iterable[Mapping[str, Any]], check: Callable[[], None]) -> Iterator[bytes]:
    """Yield the rows as JSON Lines."""
    piece = bytearray()
    for number, row in enumerate(rows, 1):
        check()
        piece += _line(number, row)
        piece += b"\n"
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _line(number: int, row: object) -> bytes:
    if not isinstance(row, Mapping):
        raise InputError(f"row {number} is {kind_of(row)}, not a dict of columns")
    for name, value in row.items():
        if isinstance(value, bytes | bytearray | memoryview):
            raise InputError(
                f"row {number}, column `{name}`: bytes, which JSON cannot hold; give the rows as "
                "a table (pyarrow, pandas or Polars)"
            )
    try:
        return _encode(dict(row))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(
            f"row {number}{_culprit(row)}: {error}; give plain values (text, numbers, true or "
            "false, None, lists, dicts), or the rows as a table (pyarrow, pandas or Polars)"
        ) from None


def _culprit(row: Mapping[Any, Any]) -> str:
    """Name the column that cannot be written."""
    for name, value in row.items():
        try:
            _encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return f", column `{name}`"
    return ""


def _plain(value: Any) -> Any:  # noqa: ANN401 # whatever stands in a row
    """Return a value of numpy as one of Python's."""
    if not (hasattr(value, "dtype") and hasattr(value, "tolist")):
        raise TypeError(f"a value of type {type(value).__name__} is no JSON")
    # Python's own moments are coarser.
    return (value.astype(str) if value.dtype.kind in "mM" else value).tolist()


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


def _opened(rows: ArrowStream | ArrowArray) -> pa.RecordBatchReader:
    try:
        if isinstance(rows, ArrowStream):
            return pa.RecordBatchReader.from_stream(rows)
        batch = pa.record_batch(rows)
        return pa.RecordBatchReader.from_batches(batch.schema, [batch])
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            f"a {type(rows).__name__} is no table with columns: {_first_line(error)}"
        ) from None


def _write_parquet(reader: pa.RecordBatchReader, file: BinaryIO, check: Callable[[], None]) -> None:
    writer = _writer(file, reader.schema)
    try:
        for group in _groups(reader, check):
            with keeping(NAME):
                writer.write_table(group, group.num_rows)
        with keeping(NAME):
            writer.close()
    except pa.ArrowException as error:
        raise InputError(f"cannot read the rows: {_first_line(error)}") from None
    finally:
        # Else a writer that failed would write its footer when it is collected, into a file
        # that is closed by then.
        writer.is_open = False


def _groups(reader: pa.RecordBatchReader, check: Callable[[], None]) -> Iterator[pa.Table]:
    """Yield the rows in tables of bounded size."""
    gathered: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in reader:
        for start in range(0, batch.num_rows, _STEP):
            check()
            piece = batch.slice(start, _STEP)
            gathered.append(piece)
            rows += piece.num_rows
            size += piece.nbytes
            if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
                yield pa.Table.from_batches(gathered)
                gathered, rows, size = [], 0, 0
    if gathered:
        yield pa.Table.from_batches(gathered)


def _writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    try:
        return _plain_writer(file, schema)
    except pa.ArrowException:
        for field in schema:
            try:
                _plain_writer(io.BytesIO(), pa.schema([field])).close()
            except pa.ArrowException:
                raise InputError(
                    f"column `{field.name}` is of type {field.type}, which Parquet cannot hold; "
                    "cast it to another before the run"
                ) from None
        raise


def _plain_writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
