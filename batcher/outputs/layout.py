"""The columns of both outputs: their names, types and order.

`row` and `id` come first, and `sample` where each row has several; then the input's columns, then
ours; behind `response` the fields of the value that answers hold, each as `out.<field>`. An input
column that has the name
of one of ours in either file is called `input_<name>`, so that it has one name in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from batcher.outputs.typed import out_fields
from batcher.structured import StructOf

# Declared as plain types, since a list of pairs of different classes would be one of objects.
_TEXT: pa.DataType = pa.string()
_INT32: pa.DataType = pa.int32()
_INT64: pa.DataType = pa.int64()
_FLOAT64: pa.DataType = pa.float64()
_MOMENT: pa.DataType = pa.timestamp("us", "UTC")

HEAD = pa.schema([("row", _INT64), ("id", _TEXT)])

# Never null, as a column of the input always may be: so it is known from one of its name.
SAMPLE = pa.schema([pa.field("sample", _INT32, nullable=False)])

ANSWER = pa.schema(
    [
        ("response", _TEXT),
        ("reasoning", _TEXT),
        ("tool_calls", _TEXT),
        ("finish_reason", _TEXT),
        ("model", _TEXT),
        ("prompt_tokens", _INT64),
        ("completion_tokens", _INT64),
        ("cached_tokens", _INT64),
        ("reasoning_tokens", _INT64),
        ("cost", _FLOAT64),
        ("currency", _TEXT),
        ("attempts", _INT32),
        ("ambiguous_attempts", _INT32),
        ("repairs", _INT32),
        ("answered_by", _TEXT),
        ("latency_s", _FLOAT64),
        ("finished_at", _MOMENT),
        ("request_id", _TEXT),
        ("key", _TEXT),
    ]
)

ERROR = pa.schema(
    [
        ("error_class", _TEXT),
        ("code", _TEXT),
        ("http_status", _INT32),
        ("message", _TEXT),
        ("response", _TEXT),
        ("cost", _FLOAT64),
        ("currency", _TEXT),
        ("attempts", _INT32),
        ("ambiguous_attempts", _INT32),
        ("repairs", _INT32),
        ("answered_by", _TEXT),
        ("failed_at", _MOMENT),
        ("request_id", _TEXT),
    ]
)

SOURCE = pa.schema(
    [
        ("source_file", _TEXT),
        ("source_line", _INT64),
        ("source_text", _TEXT),
    ]
)

_OURS = {*HEAD.names, *ANSWER.names, *ERROR.names, *SOURCE.names}


@dataclass(frozen=True, slots=True)
class Layout:
    """The schemas of the two files for one input, each of whose rows has so many `samples`.

    `answer` is our part of that of the results, with the fields of `value`.
    """

    results: pa.Schema
    errors: pa.Schema
    answer: pa.Schema
    value: StructOf | None
    samples: int


def answer_schema(value: StructOf | None) -> pa.Schema:
    """Return our columns of results whose answers hold `value`."""
    response, *others = ANSWER
    return pa.schema([response, *out_fields(value), *others])


def layout(schema: pa.Schema, value: StructOf | None = None, samples: int = 1) -> Layout:
    """Lay out both files for an input of `schema`, whose struct `input` holds the user's columns.

    `value` is what each answer holds, where the job wants one of known fields. All columns may be
    null, since a bad row has none; types and field metadata stay as they are.
    """
    answer = answer_schema(value)
    head = [*HEAD, *(SAMPLE if samples > 1 else ())]
    columns = input_columns(schema, _OURS.union(answer.names, (field.name for field in head)))
    return Layout(
        results=pa.schema([*head, *columns, *answer]),
        errors=pa.schema([*head, *columns, *ERROR, *SOURCE]),
        answer=answer,
        value=value,
        samples=samples,
    )


def input_columns(schema: pa.Schema, ours: set[str]) -> list[pa.Field[Any]]:
    """Return the user's columns as they stand in a file that has columns of `ours` as well."""
    struct: Any = schema.field("input").type
    fields = [struct.field(index) for index in range(struct.num_fields)]
    names = _free_names([field.name for field in fields], ours)
    return [
        field.with_name(name).with_nullable(nullable=True)
        for field, name in zip(fields, names, strict=True)
    ]


def _free_names(names: list[str], ours: set[str]) -> list[str]:
    """Return the names that input columns have beside `ours`, each only once."""
    # A column that can keep its name keeps it, also from one that would be renamed to it.
    keepers = {name: names.index(name) for name in names if name not in ours}
    taken = ours | keepers.keys()
    free = []
    for index, name in enumerate(names):
        if keepers.get(name) != index:
            while name in taken:
                name = f"input_{name}"  # noqa: PLW2901 # the prefix is repeated until it is free
            taken.add(name)
        free.append(name)
    return free
