"""CSV."""

from __future__ import annotations

import csv
from decimal import Decimal
from io import BytesIO, StringIO

import pyarrow as pa

from batcher.outputs.csv_sink import open_csv


def _written(batch: pa.RecordBatch) -> str:
    file = BytesIO()
    with open_csv(file, batch.schema, {}) as sink:
        sink.write(batch)
    return file.getvalue().decode()


def test_null_is_an_empty_field_and_the_empty_string_a_quoted_one() -> None:
    batch = pa.RecordBatch.from_pydict({"a": pa.array(["", None]), "n": [1, 2]})
    assert _written(batch) == '"a","n"\n"",1\n,2\n'


def test_any_text_can_be_read_by_others() -> None:
    text = 'says "hi",\r\nand leaves; 你好'
    (line,) = csv.DictReader(StringIO(_written(pa.RecordBatch.from_pydict({'a"b': [text]})), ""))
    assert line == {'a"b': text}


def test_nested_values_are_json_text_and_bytes_base64() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "messages": pa.array([[{"role": "用户"}], None]),
            "raw": pa.array([b"\xff", None]),
            "price": pa.array([Decimal("1.50"), None]),
            "at": pa.array([0, None], pa.timestamp("us", "UTC")),
        }
    )
    first, second = csv.DictReader(StringIO(_written(batch)))
    assert first == {
        "messages": '[{"role": "用户"}]',
        "raw": "/w==",
        "price": "1.50",
        "at": "1970-01-01T00:00:00.000000Z",
    }
    assert set(second.values()) == {""}
