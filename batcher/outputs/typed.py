"""The values that answers hold, as typed columns `out.<field>`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from batcher.recorded import Recorded
from batcher.structured import Kind, ListOf, Plain, StructOf

_PLAIN: dict[Plain, pa.DataType] = {
    Plain.TEXT: pa.string(),
    Plain.INTEGER: pa.int64(),
    Plain.NUMBER: pa.float64(),
    Plain.BOOLEAN: pa.bool_(),
    Plain.JSON: pa.string(),
}


def out_fields(value: StructOf | None) -> list[pa.Field[pa.DataType]]:
    """Return a column for each field of the value; all may be null."""
    fields = () if value is None else value.fields
    return [pa.field(_name(field), _type(kind)) for field, kind in fields]


def out_columns(recorded: Sequence[Recorded], value: StructOf | None) -> dict[str, list[object]]:
    """Return what the answers hold, by column; null where a field is absent."""
    if value is None:
        return {}
    values = [json.loads(one.output) if one.output is not None else {} for one in recorded]
    return {
        _name(field): [_fitted(each.get(field), kind) for each in values]
        for field, kind in value.fields
    }


def _name(field: str) -> str:
    return f"out.{field}"


def _type(kind: Kind) -> pa.DataType:
    match kind:
        case StructOf(fields):
            return pa.struct([pa.field(name, _type(part)) for name, part in fields])
        case ListOf(item):
            return pa.list_(_type(item))
        case _:
            return _PLAIN[kind]


def _fitted(value: object, kind: Kind) -> object:
    """Return a JSON value as Arrow takes it for a column of this kind."""
    match kind, value:
        case _, None:
            return None
        case StructOf(fields), dict():
            return {name: _fitted(value.get(name), part) for name, part in fields}
        case ListOf(item), list():
            return [_fitted(part, item) for part in value]
        # Arrow refuses a whole number that a float can only be near to.
        case Plain.NUMBER, int():
            return float(value)
        case Plain.JSON, _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case _:
            return value
