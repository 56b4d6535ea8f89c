"""Parquet: types, row groups, checksums."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batcher.outputs import parquet_sink
from batcher.outputs.parquet_sink import open_parquet


def _written(batches: list[pa.RecordBatch], metadata: dict[str, str] | None = None) -> BytesIO:
    file = BytesIO()
    with open_parquet(file, batches[0].schema, metadata or {}) as sink:
        for batch in batches:
            sink.write(batch)
    file.seek(0)
    return file


def _numbers(count: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"n": pa.array(range(count), pa.int64())})


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (pa.dictionary(pa.int32(), pa.string()), ["a", None, "b", "a"]),
        (pa.decimal128(12, 3), [Decimal("1.500"), None]),
        (pa.timestamp("ns", "Asia/Shanghai"), [1_700_000_000_000_000_001, None]),
        (pa.timestamp("ms"), [1, None]),
        (pa.list_(pa.struct([pa.field("role", pa.string())])), [[{"role": "user"}], [], None]),
        (pa.binary(), [b"\x00\xff", None]),
        (pa.large_string(), ["long", None]),
        (pa.float32(), [0.1, None]),
        (pa.date32(), [1, None]),
        (pa.null(), [None]),
    ],
    ids=str,
)
def test_every_type_comes_back_exactly(type_: pa.DataType, values: list[Any]) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(values, type_)], names=["c"])
    read = pq.read_table(_written([batch]))
    assert read.schema.field("c").type == type_
    assert read.equals(pa.Table.from_batches([batch]))


def test_dictionaries_that_differ_between_batches_keep_their_values() -> None:
    type_ = pa.dictionary(pa.int32(), pa.string())
    batches = [
        pa.RecordBatch.from_arrays([pa.array(values, type_)], names=["c"])
        for values in (["a", "b"], ["b", None, "c"])
    ]
    assert pq.read_table(_written(batches)).column("c").to_pylist() == ["a", "b", "b", None, "c"]


def test_a_changed_byte_in_a_page_is_refused_by_its_checksum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without compression nothing but the checksum can notice.
    monkeypatch.setattr(parquet_sink, "COMPRESSION", "none")
    text = "an answer that stands in the file as it is"
    batch = pa.RecordBatch.from_pydict({"response": pa.array([text, None], pa.string())})
    content = _written([batch]).getvalue()
    damaged = content.replace(text.encode(), text.replace("answer", "Answer").encode(), 1)
    assert damaged != content
    pq.read_table(BytesIO(damaged))
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(BytesIO(damaged), page_checksum_verification=True)
    pq.read_table(BytesIO(content), page_checksum_verification=True)


def test_pages_are_compressed_with_zstd() -> None:
    column = pq.ParquetFile(_written([_numbers(1)])).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"


def test_row_groups_end_at_a_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_sink, "GROUP_ROWS", 4)
    metadata = pq.ParquetFile(_written([_numbers(2)] * 5)).metadata
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [4, 4, 2]


def test_row_groups_end_at_a_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_sink, "GROUP_BYTES", 40)
    metadata = pq.ParquetFile(_written([_numbers(3)] * 3)).metadata
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [6, 3]


def test_the_metadata_stands_in_the_file_under_its_own_keys() -> None:
    file = _written([_numbers(1)], {"batcher.simulated": "true", "batcher.job": '{"名": 1}'})
    metadata = pq.read_schema(file).metadata
    assert metadata == {b"batcher.simulated": b"true", b"batcher.job": '{"名": 1}'.encode()}


def test_a_writer_that_failed_writes_nothing_more_when_it_is_collected() -> None:
    file = BytesIO()

    def write() -> None:
        with open_parquet(file, _numbers(1).schema, {}) as sink:
            sink.write(_numbers(1))
            raise KeyError

    with pytest.raises(KeyError):
        write()
    file.close()
