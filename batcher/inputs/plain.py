"""Arrow columns as plain Python values, for prompts and templates.

Structs become dicts, and so do maps. Moments and durations are those of `datetime`, so they
count whole microseconds; finer ones are cut. The export keeps them as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import types

from batcher.arrow import Conversions, converted, entries, is_list, lists, moments, structs

_encode = msgspec.json.Encoder(enc_hook=str).encode


# Bytes that are not UTF-8 in a string, a year that `datetime` lacks, a key twice in one map, a
# time zone that is unknown on this machine.
NO_PLAIN_FORM = (ValueError, TypeError, ArithmeticError, LookupError)


def plain_values(array: pa.Array[Any]) -> Sequence[Any]:
    """Return the values of `array`.

    Raises:
        NO_PLAIN_FORM: one of them has none.
    """
    return converted(array, _CONVERSIONS)


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
        return [None if moment is None else f'"{moment}"' for moment in moments(array)]
    return [None if value is None else json_text(value) for value in plain_values(array)]


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
    return structs(array, plain_values)


def _lists(array: pa.ListArray[Any]) -> Sequence[Any]:
    return lists(array, plain_values)


def _maps(array: pa.MapArray[Any, Any]) -> Sequence[Any]:
    return [None if found is None else _map(found) for found in plain_values(entries(array))]


def _map(found: list[dict[str, Any]]) -> dict[Any, Any]:
    made = {entry["key"]: entry["value"] for entry in found}
    if len(made) < len(found):
        raise ValueError("a map has the same key twice")
    return made


_CONVERSIONS: Conversions = (
    (_is_fine, _microseconds),
    (types.is_dictionary, _decoded),
    (types.is_struct, _structs),
    (is_list, _lists),
    (types.is_map, _maps),
)
