"""The Arrow type that holds the values of two others without loss, where there is a plain one."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyarrow import types

# Integers of so many bits are exact in a double.
_EXACT_BITS = 32
_SIGNED: dict[int, pa.DataType] = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


def promote(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return a type to which every value of both casts without loss, or None."""
    if one == other:
        return one
    return next((found for rule in _RULES if (found := rule(one, other)) is not None), None)


def _nothing(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if types.is_null(other):
        return one
    return other if types.is_null(one) else None


def _dictionaries(one: Any, other: Any) -> pa.DataType | None:  # noqa: ANN401 # of any values
    if types.is_dictionary(one):
        return promote(one.value_type, other)
    return promote(one, other.value_type) if types.is_dictionary(other) else None


def _integers(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if not (types.is_integer(one) and types.is_integer(other)):
        return None
    if types.is_signed_integer(one) == types.is_signed_integer(other):
        return _wider(one, other)
    signed, unsigned = (one, other) if types.is_signed_integer(one) else (other, one)
    return _SIGNED.get(max(signed.bit_width, 2 * unsigned.bit_width))


def _floats(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if types.is_floating(one) and types.is_floating(other):
        return _wider(one, other)
    for whole, broken in (one, other), (other, one):
        if types.is_integer(whole) and whole.bit_width <= _EXACT_BITS and types.is_float64(broken):
            return broken
    return None


def _texts(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    return pa.large_string() if _is_text(one) and _is_text(other) else None


def _bytes(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    return pa.large_binary() if _is_bytes(one) and _is_bytes(other) else None


def _lists(one: Any, other: Any) -> pa.DataType | None:  # noqa: ANN401 # of any items
    if not (_is_list(one) and _is_list(other)):
        return None
    item = promote(one.value_type, other.value_type)
    if item is None:
        return None
    return pa.list_(item) if types.is_list(one) and types.is_list(other) else pa.large_list(item)


def _structs(one: Any, other: Any) -> pa.DataType | None:  # noqa: ANN401 # of any fields
    if not (types.is_struct(one) and types.is_struct(other)):
        return None
    names = [field.name for field in one]
    if names != [field.name for field in other]:
        return None
    parts = [promote(a.type, b.type) for a, b in zip(one, other, strict=True)]
    fields = [
        pa.field(name, part) for name, part in zip(names, parts, strict=True) if part is not None
    ]
    return pa.struct(fields) if len(fields) == len(names) else None


_RULES = (_nothing, _dictionaries, _integers, _floats, _texts, _bytes, _lists, _structs)


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    return one if one.bit_width > other.bit_width else other


def _is_text(type_: pa.DataType) -> bool:
    return bool(
        types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_)
    )


def _is_bytes(type_: pa.DataType) -> bool:
    return bool(
        types.is_binary(type_) or types.is_large_binary(type_) or types.is_binary_view(type_)
    )


def _is_list(type_: pa.DataType) -> bool:
    return bool(types.is_list(type_) or types.is_large_list(type_))
