"""Arrow columns as plain values that JSON can hold.

Moments are ISO 8601, with Z where the column has a zone; dates and times of day likewise.
Decimals are strings, since JSON's numbers lose digits in most readers; bytes are base64; NaN and
the infinities, which JSON does not know, are null; durations are integers in the column's unit.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from batcher.arrow import Conversions, converted, entries, is_list, lists, moments, structs


def json_values(array: pa.Array[Any]) -> Sequence[object]:
    """Return the values of `array` as str, int, float, bool, None, list or dict."""
    return converted(array, _CONVERSIONS)


def _is_extension(type_: pa.DataType) -> bool:
    return isinstance(type_, pa.BaseExtensionType)


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
    return structs(array, json_values)


def _lists(array: pa.ListArray[Any]) -> Sequence[object]:
    return lists(array, json_values)


def _maps(array: pa.MapArray[Any, Any]) -> Sequence[object]:
    """Return lists of {"key": ..., "value": ...}: keys need be neither strings nor unique."""
    return json_values(entries(array))


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


_CONVERSIONS: Conversions = (
    (_is_extension, _stored),
    (types.is_dictionary, _decoded),
    (types.is_struct, _structs),
    (is_list, _lists),
    (types.is_map, _maps),
    (types.is_timestamp, moments),
    (types.is_floating, _finite),
    (types.is_duration, _integers),
    (_is_binary, _base64),
    (_is_text, _strings),
)
