"""Parquet as rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import InputError
from batcher.inputs.columns import Column, Inference
from batcher.inputs.files import InputFile
from batcher.inputs.parquet import BATCH_BYTES, ParquetReader
from batcher.records import Failure, Mark, Prompt, Source

WriteTable = Callable[..., InputFile]
START = Mark(row=0, file=0, line=1, offset=0)
_TEXT: pa.DataType = pa.string()


def reader(file: InputFile, id_column: str | None = None) -> ParquetReader:
    return ParquetReader(file, id_column, lambda: 7.0)


def forget(_: Mark) -> None:
    pass


def columns_of(*readers: ParquetReader) -> tuple[Column, ...]:
    inference = Inference()
    for one in readers:
        one.infer(inference, START)
    return inference.columns()


@given(size=st.integers(0, 40), group=st.integers(1, 12), data=st.data())
def test_a_mark_comes_at_each_row_group_and_reading_may_start_at_any_row(
    size: int, group: int, data: st.DataObject, write_table: WriteTable
) -> None:
    file = write_table({"n": list(range(size))}, row_group_size=group)
    marks: list[Mark] = []
    rows = []
    for row in reader(file).rows(Mark(50, 2, 1, 0), marks.append):
        assert marks[-1].row <= row.row < marks[-1].row + group
        rows.append(row)
    assert [row.row for row in rows] == list(range(50, 50 + size))
    assert marks == [Mark(50 + n, 2, n + 1, n) for n in range(0, size, group)]
    for offset in data.draw(st.lists(st.integers(0, size), max_size=3)):
        mark = Mark(50 + offset, 2, offset + 1, offset)
        assert list(reader(file).rows(mark, forget)) == rows[offset:]


def test_reading_may_start_deep_in_a_large_row_group(write_table: WriteTable) -> None:
    file = write_table({"n": list(range(5000))})
    rows = list(reader(file).rows(Mark(3000, 0, 3001, 3000), forget))
    assert [row.row for row in rows] == list(range(3000, 5000))
    assert [row.source.line for row in rows] == list(range(3001, 5001))


def test_row_groups_before_the_mark_are_not_read(write_table: WriteTable) -> None:
    file = write_table({"n": list(range(100))}, row_group_size=50, compression="none")
    facts: Any = pq.read_metadata(file.path).row_group(0).column(0)
    raw = bytearray(file.path.read_bytes())
    start = facts.dictionary_page_offset
    raw[start : start + facts.total_compressed_size] = b"\xff" * facts.total_compressed_size
    file.path.write_bytes(raw)
    rows = list(reader(file).rows(Mark(50, 0, 51, 50), forget))
    assert [row.row for row in rows] == list(range(50, 100))
    with pytest.raises(InputError, match=r"cannot read prompts\.parquet: "):
        list(reader(file).rows(START, forget))


def test_nulls_are_none_and_values_are_plain(write_table: WriteTable) -> None:
    table = pa.table(
        {
            "id": pa.array(["a", None]),
            "at": pa.array([1_000_001, None], pa.timestamp("ns", "UTC")),
            "kind": pa.array(["x", None]).dictionary_encode(),
            "meta": pa.array([[("k", 1)], None], pa.map_(_TEXT, pa.int8())),
        }
    )
    assert list(reader(write_table(table)).rows(START, forget)) == [
        Prompt(
            0,
            "a",
            {
                "id": "a",
                "at": datetime(1970, 1, 1, microsecond=1000, tzinfo=UTC),
                "kind": "x",
                "meta": {"k": 1},
            },
            Source("prompts.parquet", 1),
        ),
        Prompt(
            1,
            "1",
            {"id": None, "at": None, "kind": None, "meta": None},
            Source("prompts.parquet", 2),
        ),
    ]


def test_a_value_without_a_plain_form_fails_its_row_alone_and_stays_in_the_export(
    write_table: WriteTable,
) -> None:
    broken = pa.array([b"fine", b"\xff", b"too"]).view(pa.string())
    one = reader(write_table(pa.table({"id": ["a", "b", "c"], "prompt": broken})))
    first, bad, last = one.rows(START, forget)
    assert (first.id, last.id) == ("a", "c")
    assert isinstance(bad, Failure)
    assert "a value cannot be read" in bad.problem.message
    assert bad.source == Source("prompts.parquet", 2)
    (batch,) = one.batches(START, columns_of(one))
    assert batch.column("id").to_pylist() == ["a", "b", "c"]
    user: Any = batch.column("input")
    assert user.field("prompt").view(pa.binary()).to_pylist() == [b"fine", b"\xff", b"too"]


def test_an_id_that_cannot_be_read_makes_a_bad_row_without_text(write_table: WriteTable) -> None:
    ids = pa.array([b"fine", b"\xff"]).view(pa.string())
    one = reader(write_table(pa.table({"id": ids})))
    (batch,) = one.batches(START, columns_of(one))
    assert batch.column("id").to_pylist() == ["fine", "1"]
    assert batch.column("source_text").to_pylist() == [None, None]
    assert batch.column("input").is_null().to_pylist() == [False, True]


def test_a_bad_row_shows_its_start_as_json(write_table: WriteTable) -> None:
    odd = pa.array([[(b"\xff", None)]], pa.map_(pa.binary(), pa.time32("s")))
    file = write_table(pa.table({"id": [1.5], "odd": odd, "prompt": ["x" * 500]}))
    (bad,) = reader(file).rows(START, forget)
    assert bad.source.text is not None
    assert bad.source.text.startswith('{"id":1.5,"odd":{"/w==":null},"prompt":"xxx')
    assert len(bad.source.text) == 200


def test_types_and_metadata_stay_exact_in_the_export(write_table: WriteTable) -> None:
    table = pa.table(
        [
            pa.array([1], pa.timestamp("ns", "Asia/Shanghai")),
            pa.array(["x"]).dictionary_encode(),
            pa.array(["x"], pa.large_string()),
            pa.array([[1, 2]], pa.list_(pa.int8(), 2)),
        ],
        schema=pa.schema(
            [
                pa.field("at", pa.timestamp("ns", "Asia/Shanghai"), metadata={"unit": "s"}),
                pa.field("kind", pa.dictionary(pa.int32(), pa.string())),
                pa.field("text", pa.large_string()),
                pa.field("pair", pa.list_(pa.int8(), 2)),
            ]
        ),
    )
    one = reader(write_table(table))
    (batch,) = one.batches(START, columns_of(one))
    batch.validate(full=True)
    struct: Any = batch.schema.field("input").type
    for name in table.schema.names:
        assert struct.field(name).type == table.schema.field(name).type
    assert struct.field("at").metadata == {b"unit": b"s"}
    user: Any = batch.column("input")
    assert user.field("at").equals(table.column("at").combine_chunks())


def test_columns_of_another_file_are_null_here_and_other_types_are_cast(
    write_table: WriteTable,
) -> None:
    one = reader(write_table(pa.table({"n": pa.array([1], pa.int8()), "kind": ["x"]})))
    other = reader(write_table(pa.table({"n": pa.array([2], pa.int16()), "day": [None]})))
    columns = columns_of(one, other)
    found = [
        row["input"]
        for source in (one, other)
        for batch in source.batches(START, columns)
        for row in batch.to_pylist()
    ]
    assert found == [{"n": 1, "kind": "x", "day": None}, {"n": 2, "kind": None, "day": None}]


def test_a_value_that_is_no_json_in_a_column_of_two_types_is_an_error(
    write_table: WriteTable,
) -> None:
    broken = pa.array([b"\xff"]).view(pa.string())
    one, other = (reader(write_table(pa.table({"a": column}))) for column in (broken, [1]))
    with pytest.raises(InputError, match="the column `a` has another type in another file"):
        list(one.batches(START, columns_of(one, other)))


@pytest.mark.parametrize("dictionary", [True, False])
def test_batches_of_large_rows_have_few(write_table: WriteTable, dictionary: bool) -> None:  # noqa: FBT001 # drawn
    large = "x" * 1_000_000
    file = write_table({"a": [large] * 40}, use_dictionary=dictionary)
    one = reader(file)
    batches = list(one.batches(START, columns_of(one)))
    assert sum(batch.num_rows for batch in batches) == 40
    assert max(batch.num_rows for batch in batches) == BATCH_BYTES // 1_000_004


def test_a_table_without_columns_or_rows_has_what_it_has(write_table: WriteTable) -> None:
    empty = reader(write_table({"a": []}))
    assert list(empty.rows(START, forget)) == []
    assert list(empty.batches(START, columns_of(empty))) == []
    assert empty.count(lambda: False) == 0


@pytest.mark.parametrize("cut", [0, 4, 100, -20, -1])
def test_a_file_that_is_cut_short_is_an_error_that_names_it(
    cut: int, write_table: WriteTable
) -> None:
    file = write_table({"prompt": [f"row {n}" for n in range(1000)]})
    file.path.write_bytes(file.path.read_bytes()[:cut])
    for use in (reader(file).count, lambda _: list(reader(file).rows(START, forget))):
        with pytest.raises(InputError, match=r"^cannot read prompts\.parquet: [^\n]+$"):
            use(lambda: False)


def test_a_flipped_bit_is_found_by_the_checksum_of_its_page(write_table: WriteTable) -> None:
    file = write_table(
        {"n": list(range(1000))},
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
    )
    raw = bytearray(file.path.read_bytes())
    raw[2000] ^= 1
    file.path.write_bytes(raw)
    with pytest.raises(InputError, match=r"cannot read prompts\.parquet: .*checksum"):
        list(reader(file).rows(START, forget))


def test_two_columns_of_one_name_are_an_error(write_table: WriteTable) -> None:
    file = write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]))
    with pytest.raises(InputError, match=r"prompts\.parquet has two columns called `a`"):
        list(reader(file).rows(START, forget))
