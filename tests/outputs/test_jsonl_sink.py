"""JSON Lines."""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa

from batcher.outputs.jsonl_sink import open_jsonl


def _written(batch: pa.RecordBatch) -> str:
    file = BytesIO()
    with open_jsonl(file, batch.schema, {}) as sink:
        sink.write(batch)
    return file.getvalue().decode()


def test_a_row_is_a_line_with_the_columns_in_their_order() -> None:
    batch = pa.RecordBatch.from_pydict({"z": [1, 2], "a": ["x\ny", None]})
    assert _written(batch) == '{"z": 1, "a": "x\\ny"}\n{"z": 2, "a": null}\n'


def test_text_is_utf_8_and_not_escaped() -> None:
    assert _written(pa.RecordBatch.from_pydict({"a": ["你好 😀"]})) == '{"a": "你好 😀"}\n'


def test_values_without_a_type_in_json_are_text_or_null() -> None:
    moment = pa.array([0], pa.timestamp("us", "UTC"))
    batch = pa.RecordBatch.from_pydict({"t": moment, "b": [b"\xff"], "f": [float("inf")]})
    assert _written(batch) == '{"t": "1970-01-01T00:00:00.000000Z", "b": "/w==", "f": null}\n'
