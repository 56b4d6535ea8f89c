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


def out_fields(value: StructOf | None, prefix: str = "out") -> list[pa.Field[pa.DataType]]:
    """Return a column for each field of the value; all may be null."""
    fields = () if value is None else value.fields
    return [pa.field(f"{prefix}.{field}", _type(kind)) for field, kind in fields]


def out_columns(
    recorded: Sequence[Recorded | None], value: StructOf | None, prefix: str = "out"
) -> dict[str, list[object]]:
    """Return what the answers hold, by column; null where a field or the answer is absent."""
    if value is None:
        return {}
    outputs = [one.output if one is not None else None for one in recorded]
    values = [json.loads(output) if output is not None else {} for output in outputs]
    return {
        f"{prefix}.{field}": [_fitted(each.get(field), kind) for each in values]
        for field, kind in value.fields
    }


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
