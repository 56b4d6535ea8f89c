"""What every reader keeps to, whatever its kind of file."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from batcher.errors import InputError
from batcher.inputs.columns import Inference
from batcher.inputs.files import InputFile
from batcher.inputs.interface import Reader
from batcher.inputs.jsonl import JsonlReader
from batcher.inputs.parquet import ParquetReader
from batcher.records import Failure, Mark, Prompt
from batcher.storage import Address

ROWS = [{"id": f"r{n}", "prompt": "hi" * n, "n": n} for n in range(10)]
ROWS[4]["id"] = ""
OpenReader = Callable[[str], Reader]


def never() -> bool:
    return False


@pytest.fixture
def open_reader(
    write_lines: Callable[..., InputFile], write_table: Callable[..., InputFile]
) -> OpenReader:
    """Return a reader of `ROWS` in this kind of file."""

    def opened(suffix: str) -> Reader:
        if suffix == ".parquet":
            columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
            file = write_table(columns, row_group_size=4)
            return ParquetReader(file, None, lambda: 7.0)
        content = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
        return JsonlReader(write_lines(content, suffix), None, lambda: 7.0)

    return opened


every_kind = pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"])


def drained(generator: Any) -> tuple[list[Any], int]:  # noqa: ANN401 # of rows or of batches
    """Return what a generator yields and what it returns."""
    items: list[Any] = []

    def into() -> Any:  # noqa: ANN401 # a generator
        returned.append((yield from generator))

    returned: list[int] = []
    items.extend(into())
    return items, returned[0]


@every_kind
def test_rows_are_numbered_on_from_the_start_and_bad_ones_are_failures(
    suffix: str, open_reader: OpenReader
) -> None:
    rows, after = drained(open_reader(suffix).rows(Mark(100, 3, 1, 0), lambda _: None))
    assert after == 110
    assert [row.row for row in rows] == list(range(100, 110))
    assert [row.source.line for row in rows] == list(range(1, 11))
    assert {row.source.file for row in rows} == {f"prompts{suffix}"}
    assert [row.columns for row in rows if isinstance(row, Prompt)] == ROWS[:4] + ROWS[5:]
    (bad,) = [row for row in rows if isinstance(row, Failure)]
    assert (bad.row, bad.id, bad.key, bad.attempts, bad.finished_at) == (104, "104", None, (), 7.0)
    assert "the id in `id` is empty" in bad.problem.message
    assert json.loads(bad.source.text or "") == ROWS[4]


@every_kind
def test_batches_hold_the_same_rows(suffix: str, open_reader: OpenReader) -> None:
    reader = open_reader(suffix)
    inference = Inference()
    reader.infer(inference, Mark(0, 0, 1, 0))
    batches, after = drained(reader.batches(Mark(100, 0, 1, 0), inference.columns()))
    assert after == 110
    found = [row for batch in batches for row in batch.to_pylist()]
    rows, _ = drained(reader.rows(Mark(100, 0, 1, 0), lambda _: None))
    assert [(row["row"], row["id"], row["source_line"]) for row in found] == [
        (row.row, row.id, row.source.line) for row in rows
    ]
    for row, read in zip(found, rows, strict=True):
        if isinstance(read, Failure):
            assert row["source_text"] == read.source.text
    assert [row["input"] for row in found] == [
        row.columns if isinstance(row, Prompt) else None for row in rows
    ]


@every_kind
def test_the_count_is_that_of_the_rows(suffix: str, open_reader: OpenReader) -> None:
    assert open_reader(suffix).count(never) == len(ROWS)


@every_kind
def test_a_file_that_is_gone_is_an_error_for_everything(
    suffix: str, open_reader: OpenReader
) -> None:
    reader: Any = open_reader(suffix)
    reader.file.path.unlink()
    gone = re.escape(f"cannot read prompts{suffix}") + ".*No such file"
    for use in (
        lambda: drained(reader.rows(Mark(0, 0, 1, 0), lambda _: None)),
        lambda: drained(reader.batches(Mark(0, 0, 1, 0), ())),
        lambda: reader.count(never),
        lambda: reader.infer(Inference(), Mark(0, 0, 1, 0)),
    ):
        with pytest.raises(InputError, match=gone):
            use()


@every_kind
def test_a_named_id_column_names_the_rows_and_its_absence_fails_them(
    suffix: str, open_reader: OpenReader
) -> None:
    reader: Any = open_reader(suffix)
    by_number = dataclasses.replace(reader, id_column="n")
    rows, _ = drained(by_number.rows(Mark(0, 0, 1, 0), lambda _: None))
    assert [row.id for row in rows] == [str(n) for n in range(10)]
    without = dataclasses.replace(reader, id_column="key")
    without_id = (
        "no id in `key`; columns: id, prompt, n. Name the right one with --id-column, or "
        "leave it out"
    )
    failures, _ = drained(without.rows(Mark(0, 0, 1, 0), lambda _: None))
    assert {failure.problem.message for failure in failures} == {without_id}
    (batch,), _ = (
        drained(without.batches(Mark(0, 0, 1, 0), ())) if suffix != ".parquet" else ((None,), 0)
    )
    if batch is not None:
        assert batch.column("input").null_count == 10


@every_kind
def test_a_file_at_a_url_gives_the_same(suffix: str, open_reader: OpenReader) -> None:
    here: Any = open_reader(suffix)
    place = Address.of(f"file://{here.file.path}")
    there = dataclasses.replace(here, file=dataclasses.replace(here.file, place=place))
    front = Mark(0, 0, 1, 0)
    marks: list[Mark] = []
    every = drained(here.rows(front, marks.append))
    for mark in marks:
        rest = drained(there.rows(mark, lambda _: None))
        assert rest == (every[0][mark.row :], every[1])
    assert there.count(never) == here.count(never)
    columns = Inference()
    assert there.infer(columns, front) == here.infer(Inference(), front)
    assert drained(there.batches(front, columns.columns())) == drained(
        here.batches(front, columns.columns())
    )
