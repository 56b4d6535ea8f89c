"""Arrow columns as plain Python values, for prompts and templates.

Structs become dicts, and so do maps. Moments and durations are those of `datetime`, so they
count whole microseconds; finer ones are cut. The export keeps them as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

_encode = msgspec.json.Encoder(enc_hook=str).encode


# Bytes that are not UTF-8 in a string, a year that `datetime` lacks, a key twice in one map, a
# time zone that is unknown on this machine.
NO_PLAIN_FORM = (ValueError, TypeError, ArithmeticError, LookupError)


def plain_values(array: pa.Array[Any]) -> Sequence[Any]:
    """Return the values of `array`.

    Raises:
        NO_PLAIN_FORM: one of them has none.
    """
    for applies, convert in _CONVERSIONS:
        if applies(array.type):
            return convert(array)
    return array.to_pylist()


def plain_rows(batch: pa.RecordBatch) -> Sequence[dict[str, Any]]:
    """Return the rows of `batch`; raises NO_PLAIN_FORM."""
    names = batch.schema.names
    if not names:
        return [{} for _ in range(batch.num_rows)]
    columns = [plain_values(column) for column in batch.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def json_text(value: object) -> str:
    """Return `value` as JSON; what JSON does not know becomes the usual string."""
    return _encode(value).decode()


def json_texts(array: pa.Array[Any]) -> Sequence[str | None]:
    """Return the values of `array` as JSON, nulls as None; raises NO_PLAIN_FORM."""
    if types.is_timestamp(array.type):
        return _moments(array)
    return [None if value is None else json_text(value) for value in plain_values(array)]


def _moments(array: pa.Array[Any]) -> Sequence[str | None]:
    # Text has room for nanoseconds. What is stored is UTC for any zone; seen without one, no
    # database of zones is needed.
    type_: Any = array.type
    naive = array.view(pa.timestamp(type_.unit)).cast(pa.string())
    zone = "" if type_.tz is None else "Z"
    return [
        None if moment is None else f'"{moment.replace(" ", "T")}{zone}"'
        for moment in naive.to_pylist()
    ]


def _is_list(type_: pa.DataType) -> bool:
    return any(is_kind(type_) for is_kind in _LISTS)


def _is_fine(type_: Any) -> bool:  # noqa: ANN401 # only some types have a unit
    clocked = types.is_timestamp(type_) or types.is_time64(type_) or types.is_duration(type_)
    return bool(clocked and type_.unit == "ns")


def _microseconds(array: pa.Array[Any]) -> Sequence[Any]:
    type_: Any = array.type
    coarse: pa.DataType
    if types.is_timestamp(type_):
        coarse = pa.timestamp("us", type_.tz)
    elif types.is_time64(type_):
        coarse = pa.time64("us")
    else:
        coarse = pa.duration("us")
    return array.cast(coarse, safe=False).to_pylist()


def _decoded(array: pa.DictionaryArray[Any, Any]) -> Sequence[Any]:
    # Each value once, however often it stands in the column.
    values = plain_values(array.dictionary)
    return [None if index is None else values[index] for index in array.indices.to_pylist()]


def _structs(array: pa.StructArray) -> Sequence[Any]:
    names = [field.name for field in array.type]
    if len(set(names)) < len(names):
        raise ValueError(f"a struct has two fields of one name: {', '.join(names)}")
    valid = array.is_valid().to_pylist()
    if not names:
        return [{} if is_valid else None for is_valid in valid]
    rows = zip(*(plain_values(child) for child in array.flatten()), strict=True)
    return [
        dict(zip(names, row, strict=True)) if is_valid else None
        for row, is_valid in zip(rows, valid, strict=True)
    ]


def _lists(array: pa.ListArray[Any]) -> Sequence[Any]:
    # `flatten` leaves out what null lists hide, and heeds the offset of a slice.
    values = iter(plain_values(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [
        list(islice(values, length)) if is_valid else None
        for length, is_valid in zip(lengths, array.is_valid().to_pylist(), strict=True)
    ]


def _maps(array: pa.MapArray[Any, Any]) -> Sequence[Any]:
    entries = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    # Not a cast, which miscounts nulls in nested structs; and a slice of offsets takes no mask.
    offsets: Any = pa.array(array.offsets.to_pylist(), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, entries, mask=array.is_null())
    return [None if found is None else _map(found) for found in plain_values(lists)]


def _map(entries: list[dict[str, Any]]) -> dict[Any, Any]:
    made = {entry["key"]: entry["value"] for entry in entries}
    if len(made) < len(entries):
        raise ValueError("a map has the same key twice")
    return made


_LISTS = (
    types.is_list,
    types.is_large_list,
    types.is_fixed_size_list,
    types.is_list_view,
    types.is_large_list_view,
)

_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[..., Sequence[Any]]], ...] = (
    (_is_fine, _microseconds),
    (types.is_dictionary, _decoded),
    (types.is_struct, _structs),
    (_is_list, _lists),
    (types.is_map, _maps),
)
