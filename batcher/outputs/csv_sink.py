"""CSV: for spreadsheets; numbers and text as they are, everything else as in JSON Lines.

Null is an empty field, the empty string a quoted one. Nested values are JSON text.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pa_csv
from pyarrow import types

from batcher.outputs.json_values import json_values


class CsvSink:
    """Writes batches through Arrow's CSV writer, which knows no nested types and no bytes."""

    def __init__(self, writer: pa_csv.CSVWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a line for each row."""
        columns = [
            column if column.type == field.type else _text(column)
            for column, field in zip(batch.columns, self._schema, strict=True)
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))


@contextlib.contextmanager
def open_csv(
    file: BinaryIO,
    schema: pa.Schema,
    metadata: Mapping[str, str],  # noqa: ARG001 # CSV has no place for it
) -> Iterator[CsvSink]:
    """Open a CSV sink; see `interface.OpenSink`."""
    flat = pa.schema(
        [field if _is_plain(field.type) else field.with_type(pa.string()) for field in schema]
    )
    # Not as its own context: leaving that after a failed write fails again and hides the reason.
    writer = pa_csv.CSVWriter(file, flat)
    yield CsvSink(writer, flat)
    writer.close()


def _is_plain(type_: pa.DataType) -> bool:
    """Say whether Arrow's own text of a type is what JSON Lines would show as well."""
    return bool(
        types.is_string(type_)
        or types.is_large_string(type_)
        or types.is_integer(type_)
        or types.is_float32(type_)
        or types.is_float64(type_)
        or types.is_boolean(type_)
    )


def _text(column: pa.Array[Any]) -> pa.Array[Any]:
    return pa.array(
        [
            value if value is None or isinstance(value, str) else _encode(value)
            for value in json_values(column)
        ],
        pa.string(),
    )


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
