"""The first rows of a published file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from batcher.errors import StorageError
from batcher.outputs import Format, Material, export, kind_of, read_head
from batcher.recorded import Recorded

every_format = pytest.mark.parametrize("file_format", ["parquet", "jsonl", "csv"])


@every_format
def test_the_first_rows_are_read_in_order(
    tmp_path: Path,
    make_schema: Callable[..., pa.Schema],
    make_batches: Callable[..., Iterator[pa.RecordBatch]],
    answered: Callable[..., Recorded],
    file_format: Format,
) -> None:
    material = Material(
        make_schema(),
        make_batches([{"prompt": "a\nb"}] * 7),
        (answered(row) for row in range(7)),
    )
    done = export(material, tmp_path, kind_of(file_format))
    rows = read_head(done.results_path, 5)
    assert [str(row["row"]) for row in rows] == ["0", "1", "2", "3", "4"]
    assert [row["prompt"] for row in rows] == ["a\nb"] * 5
    assert rows[0]["reasoning"] is None
    assert len(read_head(done.results_path, 99)) == 7
    assert read_head(done.results_path, 0) == []


@every_format
def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path, file_format: Format) -> None:
    path = tmp_path / f"results.{file_format}"
    with pytest.raises(StorageError, match=f"cannot read .*{path.name}"):
        read_head(path, 1)


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    path.write_bytes(b"PAR1 and then nothing that makes sense PAR1")
    with pytest.raises(StorageError, match=r"cannot read .*results\.parquet"):
        read_head(path, 1)
