"""Arrow columns as plain values that JSON can hold.

Moments are ISO 8601, with Z where the column has a zone; dates and times of day likewise.
Decimals are strings, since JSON's numbers lose digits in most readers; bytes are base64; NaN and
the infinities, which JSON does not know, are null; durations are integers in the column's unit.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types


def json_values(array: pa.Array[Any]) -> Sequence[object]:
    """Return the values of `array` as str, int, float, bool, None, list or dict."""
    for applies, convert in _CONVERSIONS:
        if applies(array.type):
            return convert(array)
    return array.to_pylist()


def _is_extension(type_: pa.DataType) -> bool:
    return isinstance(type_, pa.BaseExtensionType)


def _is_list(type_: pa.DataType) -> bool:
    return bool(
        types.is_list(type_)
        or types.is_large_list(type_)
        or types.is_fixed_size_list(type_)
        or types.is_list_view(type_)
        or types.is_large_list_view(type_)
    )


def _is_binary(type_: pa.DataType) -> bool:
    return bool(
        types.is_binary(type_)
        or types.is_large_binary(type_)
        or types.is_fixed_size_binary(type_)
        or types.is_binary_view(type_)
    )


def _is_text(type_: pa.DataType) -> bool:
    return bool(types.is_decimal(type_) or types.is_date(type_) or types.is_time(type_))


def _stored(array: pa.ExtensionArray[Any]) -> Sequence[object]:
    return json_values(array.storage)


def _decoded(array: pa.DictionaryArray[Any, Any]) -> Sequence[object]:
    return json_values(array.dictionary_decode())


def _structs(array: pa.StructArray) -> Sequence[object]:
    names = [array.type.field(index).name for index in range(array.type.num_fields)]
    if not names:
        return [{} if valid else None for valid in array.is_valid().to_pylist()]
    rows = zip(*(json_values(child) for child in array.flatten()), strict=True)
    return [
        dict(zip(names, row, strict=True)) if valid else None
        for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)
    ]


def _lists(array: pa.ListArray[Any]) -> Sequence[object]:
    # `flatten` leaves out what null lists hide, and heeds the offset of a slice.
    values = iter(json_values(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [
        list(islice(values, length)) if valid else None
        for length, valid in zip(lengths, array.is_valid().to_pylist(), strict=True)
    ]


def _maps(array: pa.MapArray[Any, Any]) -> Sequence[object]:
    """Return lists of {"key": ..., "value": ...}: keys need be neither strings nor unique."""
    entries = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    # Not a cast, which miscounts nulls in nested structs; and a slice of offsets takes no mask.
    offsets: Any = pa.array(array.offsets.to_pylist(), pa.int32())
    return json_values(pa.ListArray.from_arrays(offsets, entries, mask=array.is_null()))


def _moments(array: pa.TimestampArray[Any, Any]) -> Sequence[object]:
    # What is stored is UTC for any zone; seen without one, no database of zones is needed.
    naive = array.view(pa.timestamp(array.type.unit)).cast(pa.string())
    iso = pc.replace_substring(naive, " ", "T")
    zone = "" if array.type.tz is None else "Z"
    return [None if moment is None else moment + zone for moment in iso.to_pylist()]


def _finite(array: pa.Array[Any]) -> Sequence[object]:
    wide = array.cast(pa.float32()) if types.is_float16(array.type) else array
    finite: list[float | None] = pc.if_else(pc.is_finite(wide), wide, None).to_pylist()
    return finite


def _base64(array: pa.Array[Any]) -> Sequence[object]:
    return [
        None if value is None else base64.b64encode(value).decode("ascii")
        for value in array.to_pylist()
    ]


def _strings(array: pa.Array[Any]) -> Sequence[object]:
    return array.cast(pa.string()).to_pylist()


def _integers(array: pa.Array[Any]) -> Sequence[object]:
    return array.cast(pa.int64()).to_pylist()


_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[..., Sequence[object]]], ...] = (
    (_is_extension, _stored),
    (types.is_dictionary, _decoded),
    (types.is_struct, _structs),
    (_is_list, _lists),
    (types.is_map, _maps),
    (types.is_timestamp, _moments),
    (types.is_floating, _finite),
    (types.is_duration, _integers),
    (_is_binary, _base64),
    (_is_text, _strings),
)
