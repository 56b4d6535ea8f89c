"""The user's columns in the export: found over all files, and filled batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from batcher.errors import InputError
from batcher.inputs.plain import json_text, json_texts
from batcher.inputs.promotion import promote
from batcher.inputs.shapes import Scalar, Shape, arrow_type, holds, merge, shape_of

MAX_COLUMNS = 1000

_INT64: pa.DataType = pa.int64()
_TEXT: pa.DataType = pa.string()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the user's; where it `is_json`, each value in it is JSON text."""

    field: pa.Field[Any]
    is_json: bool = False

    def of_values(self, values: Sequence[object]) -> pa.Array[Any]:
        """Make its array of JSON values."""
        if self.is_json:
            values = [None if value is None else json_text(value) for value in values]
        made: pa.Array[Any] = pa.array(values, self.field.type)
        return made

    def of_array(self, array: pa.Array[Any]) -> pa.Array[Any]:
        """Make its array of a file's array; raises NO_PLAIN_FORM."""
        if self.is_json:
            return pa.array(json_texts(array), _TEXT)
        if array.type == self.field.type:
            return array
        cast: pa.Array[Any] = array.cast(self.field.type)
        return cast


class Inference:
    """What is known so far of the columns, in the order of their first appearance.

    Memory depends on the number of columns only.
    """

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._shapes: dict[str, Shape] = {}
        # None where two files have types without a common one.
        self._fields: dict[str, pa.Field[Any] | None] = {}

    def add_row(self, columns: Mapping[str, object]) -> None:
        """Take up the values of a JSON object.

        Raises:
            InputError: that would make more than 1,000 columns.
        """
        shapes = self._shapes
        for name, value in columns.items():
            shape = shapes.get(name)
            if shape is None:
                self._expect(name)
                shapes[name] = shape_of(value)
            elif not holds(shape, value):
                shapes[name] = merge(shape, shape_of(value))

    def add_field(self, field: pa.Field[Any]) -> None:
        """Take up a column of a Parquet file.

        Raises:
            InputError: that would make more than 1,000 columns.
        """
        self._expect(field.name)
        known = self._fields.setdefault(field.name, field)
        if known is not None:
            self._fields[field.name] = _promoted(known, field.type)

    def columns(self) -> tuple[Column, ...]:
        """Return the columns found."""
        return tuple(map(self._column, self._names))

    def _expect(self, name: str) -> None:
        self._names[name] = None
        if len(self._names) > MAX_COLUMNS:
            raise InputError(
                f"the rows have more than {MAX_COLUMNS:,} different columns, too many for a table; "
                "put those that vary into one object in one column. Recorded answers stay, and "
                "rows that ask the same are not called again"
            )

    def _column(self, name: str) -> Column:
        text = pa.field(name, _TEXT)
        shape = self._shapes.get(name, Scalar.NULL)
        if shape is Scalar.JSON:
            return Column(text, is_json=True)
        if name not in self._fields:
            return Column(pa.field(name, arrow_type(shape)))
        field = self._fields[name]
        if field is not None and shape is not Scalar.NULL:
            field = _promoted(field, arrow_type(shape))
        if field is None:
            return Column(text, is_json=True)
        # A file that lacks the column, or a row that could not be read, has null in it.
        return Column(field.with_nullable(nullable=True))


def _promoted(field: pa.Field[Any], type_: pa.DataType) -> pa.Field[Any] | None:
    promoted = promote(field.type, type_)
    return None if promoted is None else field.with_type(promoted)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows of a batch come from, and what each is called.

    `texts` holds the start of each row as it stands in the file, or None; never None for a row
    that could not be read.
    """

    first_row: int
    ids: Sequence[str] | pa.Array[Any]
    file: str
    lines: Sequence[int]
    texts: Sequence[str | None]


def schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the schema of the batches: the place of each row, and the struct `input`."""
    return pa.schema(
        [
            ("row", _INT64),
            ("id", _TEXT),
            ("source_file", _TEXT),
            ("source_line", _INT64),
            ("source_text", _TEXT),
            ("input", _struct(columns)),
        ]
    )


def record_batch(
    place: Place, columns: Sequence[Column], arrays: Sequence[pa.Array[Any]], bad: Sequence[bool]
) -> pa.RecordBatch:
    """Return rows as a batch for the export; the struct of a `bad` row is null."""
    struct: pa.Array[Any]
    if columns:
        struct = pa.StructArray.from_arrays(
            arrays, fields=[column.field for column in columns], mask=pa.array(bad, pa.bool_())
        )
    else:
        struct = pa.array([None if is_bad else {} for is_bad in bad], _struct(columns))
    rows = range(place.first_row, place.first_row + len(bad))
    return pa.RecordBatch.from_arrays(
        [
            pa.array(rows, _INT64),
            pa.array(place.ids, _TEXT),
            pa.array([place.file] * len(bad), _TEXT),
            pa.array(place.lines, _INT64),
            pa.array(place.texts, _TEXT),
            struct,
        ],
        schema=schema(columns),
    )


def _struct(columns: Sequence[Column]) -> pa.DataType:
    return pa.struct([column.field for column in columns])
