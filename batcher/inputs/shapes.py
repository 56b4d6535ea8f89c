"""The shape of JSON values: what a column of Arrow must be to hold them all.

Shapes merge, from `NULL`, which any shape holds, up to `JSON`, which holds any value as its
text. What is merged holds every value that either part holds, without loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from typing import Any

import pyarrow as pa


class Scalar(Enum):
    """Shapes without parts. `INT` are the integers that a double holds exactly too."""

    NULL = "null"
    BOOL = "bool"
    INT = "int"
    INT64 = "int64"
    DOUBLE = "double"
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class ListOf:
    """Lists whose items all have one shape."""

    item: Shape


@dataclass(frozen=True, slots=True)
class Struct:
    """Objects that all have exactly these keys."""

    fields: tuple[tuple[str, Shape], ...]


Shape = Scalar | ListOf | Struct

# What is larger is no table any more; its text says the same.
MAX_DEPTH = 8
MAX_FIELDS = 100

_EXACT = 2**53
_INT64 = 2**63
_SCALARS = {bool: Scalar.BOOL, float: Scalar.DOUBLE, str: Scalar.TEXT, type(None): Scalar.NULL}
_NUMBERS = {
    frozenset({Scalar.INT, Scalar.INT64}): Scalar.INT64,
    frozenset({Scalar.INT, Scalar.DOUBLE}): Scalar.DOUBLE,
}


def shape_of(value: Any, depth: int = MAX_DEPTH) -> Shape:  # noqa: ANN401 # any JSON value
    """Return the smallest shape that holds `value`, of at most `depth` levels."""
    kind = type(value)
    if kind is int:
        return _shape_of_int(value)
    if kind is list and depth:
        return _list_of(_merged(shape_of(item, depth - 1) for item in value))
    if kind is dict and depth:
        return _struct((key, shape_of(item, depth - 1)) for key, item in value.items())
    return _SCALARS.get(kind, Scalar.JSON)


def merge(one: Shape, other: Shape) -> Shape:
    """Return the smallest shape that holds what either holds; keys keep the order of `one`."""
    if one == other or other is Scalar.NULL:
        return one
    if one is Scalar.NULL:
        return other
    match one, other:
        case Scalar(), Scalar():
            return _NUMBERS.get(frozenset({one, other}), Scalar.JSON)
        case ListOf(), ListOf():
            return _list_of(merge(one.item, other.item))
        case Struct(), Struct():
            others = dict(other.fields)
            if len(others) == len(one.fields) and all(key in others for key, _ in one.fields):
                return _struct((key, merge(shape, others[key])) for key, shape in one.fields)
    return Scalar.JSON


def holds(shape: Shape, value: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Whether `merge(shape, shape_of(value))` would be `shape`; the fast way to ask."""
    if value is None or shape is Scalar.JSON:
        return True
    kind = type(value)
    if kind is str:
        return shape is Scalar.TEXT
    if kind is list:
        return type(shape) is ListOf and all(holds(shape.item, item) for item in value)
    if kind is dict:
        return (
            type(shape) is Struct
            and len(value) == len(shape.fields)
            and all(key in value and holds(inner, value[key]) for key, inner in shape.fields)
        )
    return merge(shape, shape_of(value)) is shape


def arrow_type(shape: Shape) -> pa.DataType:
    """Return the Arrow type for values of `shape`; what is always null could be text."""
    match shape:
        case ListOf(item):
            return pa.list_(arrow_type(item))
        case Struct(fields):
            return pa.struct([pa.field(key, arrow_type(inner)) for key, inner in fields])
        case Scalar.BOOL:
            return pa.bool_()
        case Scalar.INT | Scalar.INT64:
            return pa.int64()
        case Scalar.DOUBLE:
            return pa.float64()
        case _:
            return pa.string()


def _shape_of_int(value: int) -> Scalar:
    if -_EXACT <= value <= _EXACT:
        return Scalar.INT
    return Scalar.INT64 if -_INT64 <= value < _INT64 else Scalar.JSON


def _merged(shapes: Iterable[Shape]) -> Shape:
    nothing: Shape = Scalar.NULL
    return reduce(merge, shapes, nothing)


def _list_of(item: Shape) -> Shape:
    return item if item is Scalar.JSON else ListOf(item)


def _struct(fields: Iterable[tuple[str, Shape]]) -> Shape:
    fields = tuple(fields)
    # Parquet has no place for an object without keys.
    if not 0 < len(fields) <= MAX_FIELDS or any(shape is Scalar.JSON for _, shape in fields):
        return Scalar.JSON
    return Struct(fields)
