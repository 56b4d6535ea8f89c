"""Builders of inputs and outcomes; of session scope, so that property tests may use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from batcher.recorded import Recorded

PLAIN = pa.struct([pa.field("prompt", pa.string())])
_INT64: pa.DataType = pa.int64()
_TEXT: pa.DataType = pa.string()

MakeSchema = Callable[..., pa.Schema]
MakeBatches = Callable[..., Iterator[pa.RecordBatch]]
MakeRecorded = Callable[..., Recorded]


def _schema(columns: pa.DataType = PLAIN) -> pa.Schema:
    return pa.schema(
        [
            ("row", _INT64),
            ("id", _TEXT),
            ("source_file", _TEXT),
            ("source_line", _INT64),
            ("source_text", _TEXT),
            ("input", columns),
        ]
    )


def _batches(
    inputs: Sequence[dict[str, Any] | None], columns: pa.DataType = PLAIN, size: int = 3
) -> Iterator[pa.RecordBatch]:
    """Yield an input of these rows in batches of `size`; None is a line that could not be read."""
    for start in range(0, len(inputs), size):
        part = inputs[start : start + size]
        rows = range(start, start + len(part))
        yield pa.RecordBatch.from_arrays(
            [
                pa.array(rows, pa.int64()),
                pa.array([f"id-{row}" for row in rows], pa.string()),
                pa.array(["prompts.jsonl"] * len(part), pa.string()),
                pa.array([row + 1 for row in rows], pa.int64()),
                pa.array(["{bad" if value is None else None for value in part], pa.string()),
                pa.array(part, columns),
            ],
            schema=_schema(columns),
        )


def _answered(row: int, **fields: Any) -> Recorded:  # noqa: ANN401 # any field of Recorded
    values: dict[str, Any] = {
        "id": f"id-{row}",
        "key": f"key-{row}",
        "attempts": 1,
        "ambiguous_attempts": 0,
        "latency_s": 0.5,
        "finished_at": 1_700_000_000_000_000 + row,
        "request_id": f"req-{row}",
        "response": f"answer {row}",
        "finish_reason": "stop",
        "model": "glm-4-flash",
        "prompt_tokens": 7,
    }
    return Recorded(row=row, **(values | fields))


def _failed(row: int, **fields: Any) -> Recorded:  # noqa: ANN401 # any field of Recorded
    values: dict[str, Any] = {
        "id": f"id-{row}",
        "key": None,
        "attempts": 5,
        "ambiguous_attempts": 2,
        "latency_s": None,
        "finished_at": 1_700_000_000_000_000 + row,
        "request_id": None,
        "error_class": "server_error",
        "code": "500",
        "http_status": 500,
        "message": "failed",
    }
    return Recorded(row=row, **(values | fields))


@pytest.fixture(scope="session")
def make_schema() -> MakeSchema:
    return _schema


@pytest.fixture(scope="session")
def make_batches() -> MakeBatches:
    return _batches


@pytest.fixture(scope="session")
def answered() -> MakeRecorded:
    return _answered


@pytest.fixture(scope="session")
def failed() -> MakeRecorded:
    return _failed
