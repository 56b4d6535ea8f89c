"""JSON Lines: one object a line, UTF-8, the columns in their order."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import pyarrow as pa

from batcher.outputs.json_values import json_values


class JsonLinesSink:
    """Writes each row as a JSON object, see `json_values` for what has no type in JSON."""

    def __init__(self, file: BinaryIO, names: list[str]) -> None:
        self._file = file
        self._names = names
        # NaN never gets here; should it, an error is better than a line that is no JSON.
        self._encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a line for each row."""
        rows = zip(*map(json_values, batch.columns), strict=True)
        lines = [f"{self._encode(dict(zip(self._names, row, strict=True)))}\n" for row in rows]
        self._file.write("".join(lines).encode())


@contextlib.contextmanager
def open_jsonl(
    file: BinaryIO,
    schema: pa.Schema,
    metadata: Mapping[str, str],  # noqa: ARG001 # JSON Lines has no place for it
) -> Iterator[JsonLinesSink]:
    """Open a JSON Lines sink; see `interface.OpenSink`."""
    yield JsonLinesSink(file, schema.names)
