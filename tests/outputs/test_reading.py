"""A published file, read again."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batcher.errors import StorageError
from batcher.outputs import read_batches

TABLE = pa.table({"row": pa.array(range(200_000), pa.int64())})


def test_all_rows_come_in_batches_with_their_schema(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "results.parquet")
    reader = read_batches(tmp_path / "results.parquet")
    assert reader.schema == TABLE.schema
    batches = list(reader)
    assert len(batches) > 1
    assert pa.Table.from_batches(batches) == TABLE


def test_a_file_that_is_replaced_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    pq.write_table(TABLE, path)
    reader = read_batches(path)
    pq.write_table(TABLE.slice(0, 1), tmp_path / "other.parquet")
    (tmp_path / "other.parquet").replace(path)
    assert reader.read_all() == TABLE


def test_no_file_and_no_parquet_are_errors_that_name_it(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    with pytest.raises(StorageError, match=r"results\.parquet.*export it again"):
        read_batches(path)
    path.write_bytes(b"no Parquet")
    with pytest.raises(StorageError, match=r"results\.parquet.*export it again"):
        read_batches(path)


def test_a_damaged_page_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    pq.write_table(TABLE, path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        read_batches(path).read_all()
