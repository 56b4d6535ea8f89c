"""Arrow's nested columns and moments, taken apart: what is read from them, the caller says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

Values: TypeAlias = Callable[[Any], Sequence[Any]]
"""Makes Python values of a column."""
Conversions: TypeAlias = Sequence[tuple[Callable[[pa.DataType], bool], Values]]
"""Which types are made values of otherwise than Arrow does it, and how."""


def converted(array: pa.Array[Any], conversions: Conversions) -> Sequence[Any]:
    """Return the values of `array` by the first conversion that applies, else as Arrow has them."""
    for applies, convert in conversions:
        if applies(array.type):
            return convert(array)
    return array.to_pylist()


def is_list(type_: pa.DataType) -> bool:
    """Tell whether these are lists, of whichever layout."""
    return any(is_kind(type_) for is_kind in _LISTS)


def lists(array: pa.ListArray[Any], values: Values) -> Sequence[list[Any] | None]:
    """Return lists of whichever layout, of the `values` of their items."""
    # `flatten` leaves out what null lists hide, and heeds the offset of a slice.
    items = iter(values(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [
        list(islice(items, length)) if is_valid else None
        for length, is_valid in zip(lengths, array.is_valid().to_pylist(), strict=True)
    ]


def structs(array: pa.StructArray, values: Values) -> Sequence[dict[str, Any] | None]:
    """Return structs as dicts of the `values` of their fields; of two of one name, the last."""
    names = [field.name for field in array.type]
    valid = array.is_valid().to_pylist()
    if not names:
        return [{} if is_valid else None for is_valid in valid]
    rows = zip(*(values(child) for child in array.flatten()), strict=True)
    return [
        dict(zip(names, row, strict=True)) if is_valid else None
        for row, is_valid in zip(rows, valid, strict=True)
    ]


def entries(array: pa.MapArray[Any, Any]) -> pa.ListArray[Any]:
    """Return maps as lists of structs of a `key` and a `value`."""
    pairs = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    # Not a cast, which miscounts nulls in nested structs; and a slice of offsets takes no mask.
    offsets: Any = pa.array(array.offsets.to_pylist(), pa.int32())
    return pa.ListArray.from_arrays(offsets, pairs, mask=array.is_null())


def moments(array: pa.Array[Any]) -> Sequence[str | None]:
    """Return moments as ISO 8601, with all their digits, and with Z where the column has a zone."""
    # What is stored is UTC for any zone; seen without one, no database of zones is needed.
    type_: Any = array.type
    naive = array.view(pa.timestamp(type_.unit)).cast(pa.string())
    zone = "" if type_.tz is None else "Z"
    return [
        None if moment is None else f"{moment.replace(' ', 'T')}{zone}"
        for moment in naive.to_pylist()
    ]


_LISTS = (
    types.is_list,
    types.is_large_list,
    types.is_fixed_size_list,
    types.is_list_view,
    types.is_large_list_view,
)
