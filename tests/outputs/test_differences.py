"""Two runs side by side in a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batcher.compared import Compared, Pair, compare
from batcher.errors import InputError, OutputError
from batcher.outputs import write_differences
from batcher.recorded import Recorded
from batcher.structured import Plain, StructOf

A = StructOf((("label", Plain.TEXT), ("score", Plain.NUMBER)))
B = StructOf((("label", Plain.TEXT),))


def _outcome(row: int, **fields: Any) -> Recorded:  # noqa: ANN401 -- those of Recorded
    return Recorded(row, f"id-{row}", "k", 1, 0, 0.5, 2, None, **fields)


def _compared(*pairs: Pair) -> Iterator[Compared]:
    return (compare(pair, ("label", "score")) for pair in pairs)


def test_each_row_of_either_run_is_there_with_the_types_of_its_fields(tmp_path: Path) -> None:
    path = tmp_path / "diff.parquet"
    both = Pair(
        _outcome(0, response="{}", output='{"label": "pos", "score": 1}', cost=2_000_000_000),
        _outcome(0, response="[]", output='{"label": "neg"}', currency="CNY", sample=0),
    )
    only_a = Pair(_outcome(1, error_class="overloaded"), None)
    only_b = Pair(None, _outcome(2, response="half \ud83d"))
    write_differences(
        _compared(both, only_a, only_b), (A, B), (1, 1), path, {"batcher.a": "runs/a"}
    )
    table = pq.read_table(path)
    assert table.schema.field("a.score").type == pa.float64()
    assert (table.schema.metadata or {})[b"batcher.a"] == b"runs/a"
    assert "b.score" not in table.column_names
    first, second, third = table.to_pylist()
    assert first == {
        **dict.fromkeys(table.column_names),
        "row": 0,
        "id": "id-0",
        "sample": 0,
        "changed": True,
        "changed_fields": ["label", "score"],
        "a_response": "{}",
        "b_response": "[]",
        "a.label": "pos",
        "a.score": 1.0,
        "b.label": "neg",
        "a_cost": 2.0,
        "b_currency": "CNY",
        "a_latency_s": 0.5,
        "b_latency_s": 0.5,
    }
    assert (second["only_in"], second["a_error_class"], second["changed"]) == (
        "a",
        "overloaded",
        None,
    )
    assert (third["row"], third["only_in"], third["b_response"]) == (2, "b", "half \\ud83d")


def test_rows_of_many_batches_and_of_long_texts_are_all_written(tmp_path: Path) -> None:
    path = tmp_path / "diff.parquet"
    long = _outcome(0, response="x" * 5_000_000)
    pairs = [Pair(long, long)] * 3 + [Pair(_outcome(n), None) for n in range(3, 5000)]
    write_differences(_compared(*pairs), (None, None), (1, 1), path, {})
    assert pq.read_table(path, columns=["row"])["row"].to_pylist()[-1] == 4999
    assert pq.ParquetFile(path).metadata.num_rows == 5000


def test_what_goes_wrong_on_the_way_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> Iterator[Compared]:
        yield compare(Pair(_outcome(0), None), ())
        raise InputError("nothing in common")

    with pytest.raises(InputError):
        write_differences(failing(), (None, None), (1, 1), tmp_path / "diff.parquet", {})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot create"):
        write_differences(_compared(), (None, None), (1, 1), tmp_path / "gone" / "diff.parquet", {})


def test_with_several_samples_the_row_is_that_of_the_input(tmp_path: Path) -> None:
    path = tmp_path / "diff.parquet"
    pairs = [
        Pair(_outcome(7, sample=1), _outcome(10, sample=1)),
        Pair(None, _outcome(11, sample=2)),
    ]
    write_differences(_compared(*pairs), (None, None), (2, 3), path, {})
    rows = pq.read_table(path, columns=["row", "sample"]).to_pylist()
    assert rows == [{"row": 3, "sample": 1}, {"row": 3, "sample": 2}]
