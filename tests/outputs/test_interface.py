"""What every sink promises."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest

from batcher.outputs import read_head
from batcher.outputs.csv_sink import open_csv
from batcher.outputs.interface import OpenSink
from batcher.outputs.jsonl_sink import open_jsonl
from batcher.outputs.parquet_sink import open_parquet


def _batch(*texts: str | None) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {"n": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string())}
    )


SCHEMA = _batch().schema

every_sink = pytest.mark.parametrize(
    ("open_sink", "suffix"), [(open_parquet, "parquet"), (open_jsonl, "jsonl"), (open_csv, "csv")]
)


@every_sink
def test_batches_are_written_in_their_order(
    tmp_path: Path, open_sink: OpenSink, suffix: str
) -> None:
    path = tmp_path / f"file.{suffix}"
    with path.open("wb") as file, open_sink(file, SCHEMA, {}) as sink:
        sink.write(_batch("a", "", None))
        sink.write(_batch('quotes "", commas, and\nlines', "你好"))
    texts = [row["text"] for row in read_head(path, 9)]
    assert texts == ["a", "", None, 'quotes "", commas, and\nlines', "你好"]


@every_sink
def test_a_file_of_no_rows_can_be_read(tmp_path: Path, open_sink: OpenSink, suffix: str) -> None:
    path = tmp_path / f"file.{suffix}"
    with path.open("wb") as file, open_sink(file, SCHEMA, {}):
        pass
    assert read_head(path, 9) == []


@every_sink
def test_the_file_stays_open_for_its_owner(open_sink: OpenSink, suffix: str) -> None:
    file = BytesIO()
    with open_sink(file, SCHEMA, {}) as sink:
        sink.write(_batch("a"))
    assert not file.closed, suffix


@every_sink
def test_an_exception_inside_comes_out_as_it_is(open_sink: OpenSink, suffix: str) -> None:
    def write() -> None:
        with open_sink(BytesIO(), SCHEMA, {}) as sink:
            sink.write(_batch("a"))
            raise KeyError(suffix)

    with pytest.raises(KeyError, match=suffix):
        write()
