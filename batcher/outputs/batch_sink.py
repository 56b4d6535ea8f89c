"""The batch output format of the providers (protocol.md section 6): one JSON envelope a line.

    {"id": ..., "custom_id": ..., "response": {"status_code": 200, "body": {completion}}, ...}

`custom_id` is the id of the row; where each has several samples, `#` and the number of the sample
stand behind all of them, so that no two are the same.

A checkpoint does not keep all that a provider sends. What it lacks is filled in with what it has:
`created` is the second the answer was recorded, the completion's `id` the request id of the last
attempt. What nobody knows is null or left out, never made up: an error without an HTTP status of
its own has the status null, and an answer that was not called for has no `usage`.

The shape of an error line is undocumented; it is the same envelope, with `body.error`, whose `type`
is the error class. An answer that was paid for and could not be used stands beside it in `choices`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from batcher.outputs.layout import SAMPLE

Row = Mapping[str, Any]

_COLUMNS = (
    *("row", "id", "sample", "response", "reasoning", "tool_calls", "finish_reason", "model"),
    *("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"),
    *("error_class", "code", "http_status", "message", "request_id", "moment"),
)
_OK = 200


class BatchSink:
    """Writes each row of the results, or of the errors, as a line of the provider's."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._file = file
        self._is_error = "error_class" in schema.names
        # Else a column of that name is one of the input.
        self._has_samples = any(field.equals(ours) for field in schema for ours in SAMPLE)
        self._encode = json.JSONEncoder(
            ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a line for each row."""
        lines = (f"{self._encode(self._line(row))}\n" for row in _rows(batch))
        # A lone surrogate stands escaped in the text of a tool call, and is escaped here again.
        self._file.write("".join(lines).encode(errors="backslashreplace"))

    def _line(self, row: Row) -> dict[str, object]:
        custom_id, number = row["id"], f"batcher-{row['row']}"
        if self._has_samples:
            custom_id, number = f"{custom_id}#{row['sample']}", f"{number}-{row['sample']}"
        body = _refusal(row) if self._is_error else _completion(row, number)
        status = _error_status(row) if self._is_error else _OK
        return {
            "id": number,
            "custom_id": custom_id,
            "response": {
                "status_code": status,
                "request_id": row["request_id"],
                "body": body,
            },
            "error": None,
        }


@contextlib.contextmanager
def open_batch(
    file: BinaryIO,
    schema: pa.Schema,
    metadata: Mapping[str, str],  # noqa: ARG001 # the format has no place for it
) -> Iterator[BatchSink]:
    """Open a sink for the provider's format; see `interface.OpenSink`."""
    yield BatchSink(file, schema)


def _rows(batch: pa.RecordBatch) -> Iterator[Row]:
    """Yield what a line is made of; None for what the batch has no column for."""
    missing: Sequence[object] = [None] * batch.num_rows
    columns: dict[str, Sequence[object]] = {}
    for name in _COLUMNS:
        columns[name] = batch.column(name).to_pylist() if name in batch.schema.names else missing
    moment = "failed_at" if "failed_at" in batch.schema.names else "finished_at"
    microseconds = batch.column(moment).cast(pa.int64())
    columns["moment"] = pc.divide(microseconds, 1_000_000).to_pylist()
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def _completion(row: Row, number: str) -> dict[str, object]:
    completion: dict[str, object] = {
        "id": row["request_id"] or number,
        "object": "chat.completion",
        "created": row["moment"],
        "model": row["model"],
        "choices": _choices(row),
    }
    if (usage := _usage(row)) is not None:
        completion["usage"] = usage
    return completion


def _choices(row: Row) -> list[dict[str, object]]:
    message: dict[str, object] = {"role": "assistant", "content": row["response"]}
    if row["reasoning"] is not None:
        message["reasoning_content"] = row["reasoning"]
    if row["tool_calls"] is not None:
        message["tool_calls"] = json.loads(row["tool_calls"])
    return [{"index": 0, "finish_reason": row["finish_reason"], "message": message}]


def _usage(row: Row) -> dict[str, object] | None:
    """Return the tokens that are known; None where not even those of prompt and answer are."""
    prompt, answer = row["prompt_tokens"], row["completion_tokens"]
    if prompt is None or answer is None:
        return None
    usage: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }
    if row["cached_tokens"] is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": row["cached_tokens"]}
    if row["reasoning_tokens"] is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": row["reasoning_tokens"]}
    return usage


def _error_status(row: Row) -> int | None:
    """Return the status of the error; never 200, which says that there is none."""
    status: int | None = row["http_status"]
    return None if status == _OK else status


def _refusal(row: Row) -> dict[str, object]:
    code, what = row["code"], row["error_class"]
    body: dict[str, object] = {
        "error": {"code": code or what, "message": row["message"], "type": what}
    }
    if row["response"] is not None:
        body["choices"] = _choices(row)
    return body
