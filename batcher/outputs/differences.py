"""Two runs side by side: a Parquet file with one row for each that either has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from batcher.compared import Compared
from batcher.money import NANOS
from batcher.outputs.columns import array
from batcher.outputs.parquet_sink import open_parquet
from batcher.outputs.publication import publication, writing
from batcher.outputs.typed import out_columns, out_fields
from batcher.structured import StructOf

# Rows of a batch; fewer where their answers have more characters than this and one answer.
_ROWS = 2048
_TEXT = 8 * 1024 * 1024
_SIDE: Sequence[tuple[str, pa.DataType]] = (
    ("error_class", pa.string()),
    ("model", pa.string()),
    ("cost", pa.float64()),
    ("currency", pa.string()),
    ("latency_s", pa.float64()),
    ("prompt_tokens", pa.int64()),
    ("completion_tokens", pa.int64()),
)


def write_differences(
    compared: Iterator[Compared],
    values: tuple[StructOf | None, StructOf | None],
    samples: tuple[int, int],
    path: Path,
    metadata: Mapping[str, str],
) -> None:
    """Write what was `compared` to `path`, whole or not at all; memory stays flat.

    `values` are what the answers of A and of B hold, where their jobs want values of known fields,
    and `samples` how many of them each row has.

    Raises:
        OutputError, StorageError: the file cannot be written.
    """
    schema = _schema(values)
    with publication(path.parent) as published:
        draft = published.draft(path.name)
        with writing(path), open_parquet(draft.file, schema, metadata) as sink:
            for group in _grouped(compared):
                columns = _columns(group, values, samples)
                arrays = [array(columns[field.name], field.type) for field in schema]
                sink.write(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _schema(values: tuple[StructOf | None, StructOf | None]) -> pa.Schema:
    fields: list[pa.Field[pa.DataType]] = [
        pa.field("row", pa.int64()),
        pa.field("id", pa.string()),
        pa.field("sample", pa.int32()),
        pa.field("only_in", pa.string()),
        pa.field("changed", pa.bool_()),
        pa.field("changed_fields", pa.list_(pa.string())),
        pa.field("a_response", pa.string()),
        pa.field("b_response", pa.string()),
    ]
    for side, value in zip("ab", values, strict=True):
        fields += out_fields(value, side)
    for name, type_ in _SIDE:
        fields += [pa.field(f"{side}_{name}", type_) for side in "ab"]
    return pa.schema(fields)


def _columns(
    group: Sequence[Compared],
    values: tuple[StructOf | None, StructOf | None],
    samples: tuple[int, int],
) -> dict[str, Sequence[object]]:
    either = [one.pair.either for one in group]
    columns: dict[str, Sequence[object]] = {
        "row": [one.pair.either.row // samples[one.pair.a is None] for one in group],
        "id": [one.id for one in either],
        "sample": [one.sample for one in either],
        "only_in": [_only_in(one) for one in group],
        "changed": [one.changed for one in group],
        "changed_fields": [one.changed_fields for one in group],
    }
    sides = [one.pair.a for one in group], [one.pair.b for one in group]
    for side, recorded, value in zip("ab", sides, values, strict=True):
        columns |= out_columns(recorded, value, side)
        for name in ("response", *(name for name, _ in _SIDE)):
            columns[f"{side}_{name}"] = [
                None if one is None else getattr(one, name) for one in recorded
            ]
        columns[f"{side}_cost"] = [
            None if one is None or one.cost is None else one.cost / NANOS for one in recorded
        ]
    return columns


def _only_in(compared: Compared) -> str | None:
    if compared.pair.b is None:
        return "a"
    return "b" if compared.pair.a is None else None


def _grouped(compared: Iterator[Compared]) -> Iterator[list[Compared]]:
    group: list[Compared] = []
    text = 0
    for one in compared:
        group.append(one)
        text += sum(outcome.size for outcome in (one.pair.a, one.pair.b) if outcome)
        if len(group) == _ROWS or text >= _TEXT:
            yield group
            group, text = [], 0
    if group:
        yield group
