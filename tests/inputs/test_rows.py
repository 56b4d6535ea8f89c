"""Rows in memory, kept as a file."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import InputError, StorageError
from batcher.inputs import Dataset
from batcher.inputs.rows import Rows, spool_rows
from batcher.records import Prompt


def _go_on() -> None:
    pass


def _prompts(rows: Rows, directory: Path) -> list[Prompt]:
    read = Dataset((spool_rows(rows, directory, _go_on),), None).rows()
    return [row for row in read if isinstance(row, Prompt)]


def _table(rows: Rows, directory: Path) -> pa.Table:
    return pq.read_table(spool_rows(rows, directory, _go_on).path)


class _Capsules:
    """Speaks nothing but the interface, as a frame of another library does."""

    def __init__(self, table: pa.Table) -> None:
        self._table: Any = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


class _ArrayOnly:
    """A record batch that offers no stream."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch: Any = batch

    def __arrow_c_array__(self, requested_schema: object | None = None) -> object:
        return self._batch.__arrow_c_array__(requested_schema)


BATCH = pa.record_batch({"prompt": ["a", "b"], "n": pa.array([1, None], pa.uint8())})
TABLE = pa.Table.from_batches([BATCH])


def test_dicts_become_lines_in_their_order_and_are_gone_through_once(tmp_path: Path) -> None:
    taken = []

    def rows() -> Iterator[Mapping[str, Any]]:
        for number in range(3):
            taken.append(number)
            yield {"id": number, "prompt": "你好", "tags": ["x", None], "deep": {"a": 1.5}}

    (first, *others) = _prompts(rows(), tmp_path)
    assert (first.id, first.columns["prompt"]) == ("0", "你好")
    assert (first.columns["tags"], first.columns["deep"]) == (["x", None], {"a": 1.5})
    assert [prompt.id for prompt in others] == ["1", "2"]
    assert taken == [0, 1, 2]
    assert str(first.source) == "rows:1"


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5),
            st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9),
            max_size=4,
        )
    )
)
def test_what_json_can_hold_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    file = spool_rows(rows, tmp_path_factory.mktemp("spool"), _go_on)
    # At line feeds alone: others may stand raw in JSON.
    lines = file.path.read_bytes().split(b"\n")[:-1]
    assert [json.loads(line) for line in lines] == rows


def test_no_rows_are_an_empty_input(tmp_path: Path) -> None:
    assert _prompts([], tmp_path) == []
    assert _prompts(TABLE.slice(0, 0), tmp_path) == []


def test_moments_decimals_and_ids_become_text(tmp_path: Path) -> None:
    row = {
        "at": dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC),
        "day": dt.date(2026, 7, 1),
        "price": Decimal("1.20"),
        "uuid": uuid.UUID(int=1),
    }
    (prompt,) = _prompts([row], tmp_path)
    assert prompt.columns == {
        "at": "2026-07-01T12:00:00Z",
        "day": "2026-07-01",
        "price": "1.20",
        "uuid": str(uuid.UUID(int=1)),
    }


class _Odd:
    pass


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"a": 1, "b": _Odd()}, "row 2, column `b`: a value of type _Odd is no JSON"),
        ({"image": b"\x89PNG"}, "row 2, column `image`: bytes"),
        ({"a": "\ud800"}, "row 2, column `a`: .*surrogates"),
        (["a"], "row 2 is a list, not a dict"),
        ("text", "row 2 is of type str, not a dict"),
    ],
)
def test_a_row_that_is_none_is_named_and_nothing_is_kept(
    tmp_path: Path, row: object, said: str
) -> None:
    rows: Any = [{"prompt": "good"}, row]
    with pytest.raises(InputError, match=said):
        spool_rows(rows, tmp_path, _go_on)
    assert list(tmp_path.iterdir()) == []


def test_what_an_iterable_raises_is_passed_on_and_nothing_is_kept(tmp_path: Path) -> None:
    def rows() -> Iterator[Mapping[str, Any]]:
        yield {"prompt": "good"}
        raise FileNotFoundError("the user's own")

    with pytest.raises(FileNotFoundError, match="the user's own"):
        spool_rows(rows(), tmp_path, _go_on)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "rows",
    [
        TABLE,
        BATCH,
        TABLE.to_reader(),
        _Capsules(TABLE),
        _ArrayOnly(BATCH),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_whatever_speaks_arrow_becomes_parquet(tmp_path: Path, rows: Rows) -> None:
    assert _table(rows, tmp_path) == TABLE


def test_types_stay_exactly_as_they_were(tmp_path: Path) -> None:
    columns: dict[str, pa.Array[Any]] = {
        "small": pa.array([1], pa.int8()),
        "price": pa.array([Decimal("1.20")], pa.decimal128(9, 2)),
        "at": pa.array([0], pa.timestamp("ns", "Asia/Shanghai")),
        "kind": pa.array(["x"]).dictionary_encode(),
        "view": pa.array(["x"], pa.string_view()),
        "image": pa.array([b"\x89PNG"], pa.large_binary()),
        "points": pa.array([[{"x": 1}]], pa.list_(pa.struct([("x", pa.uint16())]))),
        "nothing": pa.array([None], pa.null()),
    }
    table = pa.table(columns)
    assert _table(table, tmp_path).schema.equals(table.schema)


def test_a_type_that_parquet_lacks_is_named_with_its_column(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["a"], "gap": pa.nulls(1, pa.month_day_nano_interval())})
    with pytest.raises(InputError, match=r"column `gap` is of type month_day_nano_interval"):
        spool_rows(table, tmp_path, _go_on)
    assert list(tmp_path.iterdir()) == []


def test_arrow_data_without_columns_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ChunkedArray is no table"):
        spool_rows(pa.chunked_array([["a"]]), tmp_path, _go_on)


def test_a_reader_that_fails_is_told_of(tmp_path: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield BATCH
        raise pa.ArrowInvalid("out of paper\nmore of it")

    reader = pa.RecordBatchReader.from_batches(BATCH.schema, batches())
    with pytest.raises(InputError, match=r"cannot read the rows: .*out of paper$"):
        spool_rows(reader, tmp_path, _go_on)
    assert list(tmp_path.iterdir()) == []


def test_small_batches_are_gathered_and_large_ones_parted(tmp_path: Path) -> None:
    """A row group for each would make a file of a million rows unreadable."""
    parts = [BATCH] * 1000
    rows = pa.RecordBatchReader.from_batches(BATCH.schema, parts)
    assert pq.ParquetFile(spool_rows(rows, tmp_path, _go_on).path).num_row_groups == 1
    large = pa.table({"prompt": pa.array([str(n) for n in range(150_000)])})
    file = pq.ParquetFile(spool_rows(large, tmp_path, _go_on).path)
    assert file.num_row_groups == 3
    assert file.read() == large


@pytest.mark.parametrize("make", [lambda: TABLE, lambda: [{"prompt": "a"}] * 3])
def test_it_can_be_stopped(tmp_path: Path, make: Callable[[], Rows]) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spool_rows(make(), tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows", [TABLE, [{"prompt": "a"}]])
def test_a_copy_that_cannot_be_written_is_an_error(tmp_path: Path, rows: Rows) -> None:
    with pytest.raises(StorageError, match="cannot keep rows"):
        spool_rows(rows, tmp_path / "gone", _go_on)
