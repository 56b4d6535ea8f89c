"""The first results."""

from __future__ import annotations

import base64
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batcher.errors import StorageError
from batcher.runs.head import first_results
from tests.simulated import Place


def test_the_first_results_come_in_row_order(place: Place) -> None:
    place.run()
    assert [row["id"] for row in first_results(place.directory, 2)] == ["id-0", "id-1"]


def test_before_any_export_there_are_none(place: Place) -> None:
    with pytest.raises(StorageError, match=r"results\.parquet"):
        first_results(place.directory, 2)


def test_long_bytes_are_told_of_by_their_size_wherever_they_stand(place: Place) -> None:
    data = bytes(range(256)) * 12
    text = base64.b64encode(data).decode()
    rows: list[dict[str, Any]] = [
        {
            "id": "a",
            "prompt": "hi",
            "bytes": data,
            "image": {"bytes": data, "path": "a.png"},
            "uris": [f"data:image/png;base64,{text}", "A" * 999, "a word " * 500],
        }
    ]
    pq.write_table(pa.Table.from_pylist(rows), place.folder / "rows.parquet")
    output = {"directory": str(place.directory.path)}
    place.run(place.job(input=[str(place.folder / "rows.parquet")], output=output))
    (shown,) = first_results(place.directory, 1)
    assert shown["bytes"] == "(3,072 bytes)"
    assert shown["image"] == {"bytes": "(3,072 bytes)", "path": "a.png"}
    assert shown["uris"] == ["data:image/png;base64,(3,072 bytes)", *rows[0]["uris"][1:]]
