"""All input files as one sequence of rows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import InputError
from batcher.inputs import Dataset, InputFile, discover
from batcher.records import Failure, Mark, Prompt
from batcher.storage import Address

Write = Callable[..., InputFile]
PARTS = st.lists(
    st.tuples(
        st.sampled_from([".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"]),
        st.lists(st.none() | st.integers(0, 9), max_size=6),
    ),
    max_size=4,
)


def dataset(*files: InputFile, id_column: str | None = None) -> Dataset:
    return Dataset(files, id_column, clock=lambda: 7.0)


def written(
    parts: list[tuple[str, list[int | None]]], write_lines: Write, write_table: Write
) -> Dataset:
    """Write numbers as rows; None is a bad line, or a null where there are no lines."""
    files = []
    for suffix, numbers in parts:
        if suffix == ".parquet":
            column: pa.Array[Any] = pa.array(numbers, pa.int64())
            files.append(write_table(pa.table({"n": column}), row_group_size=2))
        else:
            lines = ["{bad" if n is None else json.dumps({"n": n}) for n in numbers]
            files.append(write_lines("\n".join(["", *lines]).encode(), suffix))
    return dataset(*files)


@given(parts=PARTS)
def test_reading_from_any_mark_on_gives_the_last_rows(
    parts: list[tuple[str, list[int | None]]], write_lines: Write, write_table: Write
) -> None:
    data = written([(s, n) for s, n in parts if n or s == ".parquet"], write_lines, write_table)
    marks: list[Mark] = []
    rows = list(data.rows(on_mark=marks.append))
    assert [row.row for row in rows] == list(range(len(rows)))
    assert len(rows) == sum(len(numbers) for _, numbers in parts) == data.count()
    assert {mark.row for mark in marks} <= set(range(len(rows)))
    for mark in marks:
        again: list[Mark] = []
        assert list(data.rows(mark, again.append)) == rows[mark.row :]
        assert again == marks[marks.index(mark) :]


@given(parts=PARTS)
def test_rows_before_a_mark_are_counted_by_it(
    parts: list[tuple[str, list[int | None]]], write_lines: Write, write_table: Write
) -> None:
    data = written([(s, n) for s, n in parts if n or s == ".parquet"], write_lines, write_table)
    places = [data.place(row) for row in range(data.count() + 1)]
    assert {data.count(start=place) for place in places} == {data.count()}


@given(parts=PARTS)
def test_files_at_urls_give_the_same_though_they_were_brought_before(
    parts: list[tuple[str, list[int | None]]], write_lines: Write, write_table: Write
) -> None:
    here = written([(s, n) for s, n in parts if n or s == ".parquet"], write_lines, write_table)
    files = [replace(f, place=Address.of(f"file://{f.path}")) for f in here.files]
    there = replace(here, files=tuple(files)).looked_at()
    assert list(there.rows()) == list(here.rows())
    assert there.count() == here.count()
    assert list(there.batches()[1]) == list(here.batches()[1])


@given(parts=PARTS)
def test_batches_hold_the_rows_in_order_with_a_null_struct_for_bad_ones(
    parts: list[tuple[str, list[int | None]]], write_lines: Write, write_table: Write
) -> None:
    data = written([(s, n) for s, n in parts if n or s == ".parquet"], write_lines, write_table)
    schema, batches = data.batches()
    found = []
    for batch in batches:
        assert batch.schema == schema
        batch.validate(full=True)
        found += batch.to_pylist()
    rows = list(data.rows())
    assert [row["row"] for row in found] == [row.row for row in rows]
    for made, row in zip(found, rows, strict=True):
        assert (made["id"], made["source_file"], made["source_line"]) == (
            row.id,
            row.source.file,
            row.source.line,
        )
        # A good line's start is there too, for an error that comes later.
        if row.source.text is not None or row.source.file.endswith(".parquet"):
            assert made["source_text"] == row.source.text
        assert made["input"] == (row.columns if isinstance(row, Prompt) else None)


@given(parts=PARTS, rows=st.integers(0, 12))
def test_of_the_first_rows_batches_hold_no_others(
    parts: list[tuple[str, list[int | None]]], rows: int, write_lines: Write, write_table: Write
) -> None:
    data = written([(s, n) for s, n in parts if n or s == ".parquet"], write_lines, write_table)
    schema, batches = data.batches(rows)
    found = [row for batch in batches for row in batch.to_pylist()]
    assert [row["row"] for row in found] == [row.row for row in data.rows()][:rows]
    every = [row for batch in data.batches()[1] for row in batch.to_pylist()]
    for made, row in zip(found, every, strict=False):
        assert (made["id"], made["source_line"]) == (row["id"], row["source_line"])
    assert {field.name for field in schema} == {field.name for field in data.batches()[0]}


@given(parts=PARTS, first=st.integers(0, 12), stop=st.integers(0, 14))
def test_the_rows_of_a_part_are_found_at_its_place_alone(
    parts: list[tuple[str, list[int | None]]],
    first: int,
    stop: int,
    write_lines: Write,
    write_table: Write,
) -> None:
    data = written([(s, n) for s, n in parts if n or s == ".parquet"], write_lines, write_table)
    rows = list(data.rows())
    mark = data.place(first)
    assert mark.row == min(first, len(rows))
    assert list(data.rows(mark)) == rows[first:]
    stop = max(stop, mark.row)
    found = [row for batch in data.batches(stop, mark)[1] for row in batch.to_pylist()]
    places = [(row.row, row.id, row.source.file, row.source.line) for row in rows[first:stop]]
    assert [(r["row"], r["id"], r["source_file"], r["source_line"]) for r in found] == places


def test_columns_of_a_part_are_those_of_its_rows_alone(write_lines: Write) -> None:
    data = dataset(write_lines(b'{"n":"text","more":1}\n{"n":2}\n{"n":3}\n{"n":[]}\n'))
    schema, batches = data.batches(3, data.place(1))
    assert schema.field("input").type == pa.struct([pa.field("n", pa.int64())])
    assert [row["input"] for batch in batches for row in batch.to_pylist()] == [{"n": 2}, {"n": 3}]


def test_what_stands_behind_the_first_rows_is_not_read(write_lines: Write) -> None:
    data = dataset(write_lines(b'{"n":1}\n{"n":2}\n{"n":"text","more":1}\n'))
    schema, batches = data.batches(2)
    assert schema.field("input").type == pa.struct([pa.field("n", pa.int64())])
    assert [row["input"] for batch in batches for row in batch.to_pylist()] == [{"n": 1}, {"n": 2}]


def test_columns_of_all_files_are_united_and_none_is_lost(
    write_lines: Write, write_table: Write
) -> None:
    data = dataset(
        write_lines(b'{"a":1,"mixed":"x","only":true}\n'),
        write_table({"mixed": [0.5], "a": pa.array([2], pa.int32())}),
    )
    schema, batches = data.batches()
    assert schema.field("input").type == pa.struct(
        [
            pa.field("a", pa.int64()),
            pa.field("mixed", pa.string()),
            pa.field("only", pa.bool_()),
        ]
    )
    assert [row["input"] for batch in batches for row in batch.to_pylist()] == [
        {"a": 1, "mixed": '"x"', "only": True},
        {"a": 2, "mixed": "0.5", "only": None},
    ]


def test_an_input_without_rows_has_an_empty_struct(write_lines: Write) -> None:
    schema, batches = dataset(write_lines(b"\n")).batches()
    assert schema.field("input").type == pa.struct([])
    assert list(batches) == []


def test_names_are_those_the_user_gave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").touch()
    assert Dataset(discover(["./a.jsonl"]), None).names == ["./a.jsonl"]


def test_failures_are_stamped_now(write_lines: Write) -> None:
    (bad,) = Dataset((write_lines(b"bad\n"),), None).rows()
    assert isinstance(bad, Failure)
    assert bad.finished_at > 1_700_000_000


def test_counting_ends_when_told_to(write_table: Write) -> None:
    data = dataset(write_table({"a": [1, 2]}), write_table({"a": [3]}))
    answers = iter([False, True])
    assert data.count() == 3
    assert data.count(lambda: next(answers)) == 2


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.zst"])
def test_the_content_is_that_of_the_files_wherever_they_lie(
    suffix: str, write_lines: Write, write_table: Write
) -> None:
    """And it comes with the number of rows."""
    text = b'{"a":1}\n\n{"a":2}'

    def content(text: bytes, column: Sequence[int]) -> tuple[int, str]:
        return dataset(write_lines(text, suffix), write_table({"a": column})).content()

    rows, known = content(text, [3])
    assert rows == 3
    assert content(text, [3]) == (rows, known)
    for other in (content(text.replace(b"1", b"7"), [3]), content(text, [4])):
        assert other[0] == rows
        assert other[1] != known


def test_the_fingerprint_stays_while_the_files_do(write_lines: Write, write_table: Write) -> None:
    files = write_lines(b"{}\n" * 100_000), write_table({"a": [1]})
    assert dataset(*files).fingerprint() == dataset(*files).fingerprint()
    assert len(dataset(*files).fingerprint()) == 32


@pytest.mark.parametrize("change", ["start", "end", "size", "time", "name", "id_column", "order"])
def test_the_fingerprint_changes_with_the_input(change: str, write_lines: Write) -> None:
    content = b'{"a":1}\n' * 50_000
    file, other = write_lines(content), write_lines(b"{}\n")
    before = dataset(file, other).fingerprint()
    status = file.path.stat()
    after = dataset(file, other)
    match change:
        case "start":
            file.path.write_bytes(b"X" + content[1:])
        case "end":
            file.path.write_bytes(content[:-1] + b"X")
        case "size":
            file.path.write_bytes(content[: len(content) // 2] * 3)
        case "name":
            after = dataset(InputFile(file.path, "b.jsonl", "jsonl", None), other)
        case "id_column":
            after = dataset(file, other, id_column="a")
        case "order":
            after = dataset(other, file)
    later = 1 if change == "time" else 0
    os.utime(file.path, ns=(status.st_atime_ns, status.st_mtime_ns + later))
    assert after.fingerprint() != before


def test_the_fingerprint_of_a_file_that_is_gone_is_an_error(write_lines: Write) -> None:
    file = write_lines(b"{}\n")
    file.path.unlink()
    with pytest.raises(InputError, match=r"cannot read prompts\.jsonl: No such file"):
        dataset(file).fingerprint()


def test_of_a_file_at_a_url_the_fingerprint_is_that_of_when_it_was_found(
    write_lines: Write,
) -> None:
    file = write_lines(b"{}\n")
    data = dataset(replace(file, place=Address.of(f"file://{file.path}"))).looked_at()
    before = data.fingerprint()
    assert data.looked_at().fingerprint() == before
    file.path.write_bytes(b"{}\n" * 2)
    assert data.fingerprint() == before
    assert data.looked_at().fingerprint() != before
    file.path.unlink()
    with pytest.raises(InputError, match=r"no such file: prompts\.jsonl"):
        data.looked_at()
