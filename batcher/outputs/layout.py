"""The columns of both outputs: their names, types and order.

`row` and `id` come first, then the input's columns, then ours. An input column that has the name
of one of ours in either file is called `input_<name>`, so that it has one name in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

_MOMENT: pa.DataType = pa.timestamp("us", "UTC")

HEAD = pa.schema([("row", pa.int64()), ("id", pa.string())])

ANSWER = pa.schema(
    [
        ("response", pa.string()),
        ("reasoning", pa.string()),
        ("tool_calls", pa.string()),
        ("finish_reason", pa.string()),
        ("model", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("reasoning_tokens", pa.int64()),
        ("attempts", pa.int32()),
        ("latency_s", pa.float64()),
        ("finished_at", _MOMENT),
        ("request_id", pa.string()),
        ("key", pa.string()),
    ]
)

ERROR = pa.schema(
    [
        ("error_class", pa.string()),
        ("code", pa.string()),
        ("http_status", pa.int32()),
        ("message", pa.string()),
        ("attempts", pa.int32()),
        ("failed_at", _MOMENT),
        ("request_id", pa.string()),
    ]
)

SOURCE = pa.schema(
    [
        ("source_file", pa.string()),
        ("source_line", pa.int64()),
        ("source_text", pa.string()),
    ]
)

_OURS = {*HEAD.names, *ANSWER.names, *ERROR.names, *SOURCE.names}


@dataclass(frozen=True, slots=True)
class Layout:
    """The schemas of the two files for one input."""

    results: pa.Schema
    errors: pa.Schema


def layout(schema: pa.Schema) -> Layout:
    """Lay out both files for an input of `schema`, whose struct `input` holds the user's columns.

    All columns may be null, since a bad row has none; types and field metadata stay as they are.
    """
    struct = schema.field("input").type
    fields = [struct.field(index) for index in range(struct.num_fields)]
    columns = [
        field.with_name(name).with_nullable(nullable=True)
        for field, name in zip(fields, _free_names([f.name for f in fields]), strict=True)
    ]
    return Layout(
        results=pa.schema([*HEAD, *columns, *ANSWER]),
        errors=pa.schema([*HEAD, *columns, *ERROR, *SOURCE]),
    )


def _free_names(names: list[str]) -> list[str]:
    """Return the names that input columns have in the outputs, each only once."""
    # A column that can keep its name keeps it, also from one that would be renamed to it.
    keepers = {name: names.index(name) for name in names if name not in _OURS}
    taken = _OURS | keepers.keys()
    free = []
    for index, name in enumerate(names):
        if keepers.get(name) != index:
            while name in taken:
                name = f"input_{name}"  # noqa: PLW2901 # the prefix is repeated until it is free
            taken.add(name)
        free.append(name)
    return free
