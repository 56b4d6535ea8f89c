"""JSON Lines as rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass
from batcher.inputs.columns import Inference
from batcher.inputs.files import InputFile
from batcher.inputs.jsonl import BATCH_BYTES, MARK_ROWS, JsonlReader
from batcher.records import Failure, Mark, Prompt, Source

WriteLines = Callable[..., InputFile]
START = Mark(row=0, file=0, line=1, offset=0)


def reader(file: InputFile, longest: int = 1000) -> JsonlReader:
    return JsonlReader(file, None, lambda: 7.0, longest)


def forget(_: Mark) -> None:
    pass


@given(
    lines=st.lists(
        st.sampled_from(
            [b'{"id":"a","n":1}', b'{"n":2.5}', b'{"id":1.5}', b"{bad", b"\xff", b"", b"{}", b"[1]"]
        )
    ),
    end=st.sampled_from([b"\n", b"\r\n"]),
)
def test_every_line_that_is_not_blank_is_a_prompt_or_a_failure_with_its_place(
    lines: list[bytes], end: bytes, write_lines: WriteLines
) -> None:
    file = write_lines(end.join(lines))
    rows = list(reader(file).rows(START, forget))
    assert [row.source.line for row in rows] == [n for n, line in enumerate(lines, 1) if line]
    assert [row.row for row in rows] == list(range(len(rows)))
    assert reader(file).count(lambda: False) == len(rows)
    for row in rows:
        line = lines[row.source.line - 1]
        if isinstance(row, Prompt):
            assert row.columns == json.loads(line)
            assert row.id == row.columns.get("id", str(row.row))
        else:
            assert line in (b'{"id":1.5}', b"{bad", b"\xff", b"[1]")


# Bytes of any kind, and what a reader stumbles over, next to each other in any order.
_ANY_BYTES = st.lists(
    st.binary(max_size=6)
    | st.sampled_from(
        [
            *(
                b'{"id":"a","prompt":"b"}',
                b'{"n":1}',
                b'{"a":',
                b"}",
                b'"',
                b"\\",
                b"\\ud800",
                b"NaN",
            ),
            *(b"1e999", b'{"a":' + b"9" * 30 + b"}", b"[" * 120, b'{"a":1,"a":2}', b"null", b"{}"),
            *(b"\n", b"\r\n", b"\r", b"\x00", b"\xef\xbb\xbf", b"\xff", b"\xe4\xbd", b" ", b"\x0b"),
            *("\u2028\u2029\x85".encode(), "中文😀".encode(), b"x" * 60),
        ]
    )
).map(b"".join)


@given(content=_ANY_BYTES, parts=st.lists(st.integers(0, 200), max_size=3))
def test_any_bytes_are_rows_and_failures_of_their_lines_however_they_are_packed(
    content: bytes, parts: list[int], write_lines: WriteLines
) -> None:
    """Plain, and packed as one stream or as several one behind the other."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    plain = write_lines(content)
    rows = list(reader(plain, longest=80).rows(START, forget))
    assert reader(plain, longest=80).count(lambda: False) == len(rows)
    assert [row.row for row in rows] == list(range(len(rows)))
    assert [row.source.line for row in rows] == [
        number for number, line in enumerate(lines, 1) if line.strip()
    ]
    for row in rows:
        if isinstance(row, Failure):
            assert (row.key, row.problem.error_class) == (None, ErrorClass.INVALID_ROW)
        else:
            assert row.columns == json.loads(lines[row.source.line - 1])
    cuts = [0, *sorted(parts), len(content)]
    pieces = [content[start:end] for start, end in pairwise(cuts)]
    for suffix in (".jsonl.gz", ".jsonl.zst"):
        packed = write_lines(content, suffix)
        packed.path.write_bytes(
            b"".join(write_lines(piece, suffix).path.read_bytes() for piece in pieces)
        )
        again = replace(packed, name=plain.name)
        assert list(reader(again, longest=80).rows(START, forget)) == rows


def test_a_bad_line_is_a_failure_that_shows_its_start(write_lines: WriteLines) -> None:
    file = write_lines(b'{"id":"a"}\n\xff{' + b"x" * 500 + b"\n")
    _, bad = reader(file).rows(START, forget)
    assert isinstance(bad, Failure)
    assert bad.problem.error_class is ErrorClass.INVALID_ROW
    assert bad.problem.message.startswith("not ")
    assert (bad.row, bad.id, bad.key, bad.finished_at) == (1, "1", None, 7.0)
    assert bad.source == Source("prompts.jsonl", 2, "\N{REPLACEMENT CHARACTER}{" + "x" * 198)


def test_the_start_of_a_bad_line_has_200_characters_however_wide(write_lines: WriteLines) -> None:
    (bad,) = reader(write_lines("\U0001f600".encode() * 240)).rows(START, forget)
    assert bad.source.text == "\U0001f600" * 200


def test_a_line_that_is_too_long_is_a_failure_and_the_next_is_a_row(
    write_lines: WriteLines,
) -> None:
    bad, good = reader(write_lines(b'{"a":"' + b"x" * 5000 + b'"}\n{}')).rows(START, forget)
    assert isinstance(bad, Failure)
    assert bad.problem.message == "the line is longer than 1,000 bytes"
    assert isinstance(good, Prompt)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_a_mark_comes_every_4096_rows_before_its_row_and_reading_may_start_there(
    suffix: str, write_lines: WriteLines
) -> None:
    content = b"\n".join(b'{"n":%d}' % n if n % 3 else b"{bad\r\n" for n in range(10_000))
    file = write_lines(b"\xef\xbb\xbf" + content, suffix)
    marks: list[Mark] = []
    rows = []
    for row in reader(file).rows(Mark(50, 2, 1, 0), marks.append):
        assert marks[-1].row <= row.row < marks[-1].row + MARK_ROWS
        rows.append(row)
    assert [mark.row for mark in marks] == [50, 50 + MARK_ROWS, 50 + 2 * MARK_ROWS]
    assert {mark.file for mark in marks} == {2}
    for mark in marks:
        assert list(reader(file).rows(mark, forget)) == rows[mark.row - 50 :]


def test_batches_are_bounded_in_rows_and_bytes(write_lines: WriteLines) -> None:
    big = b'{"a":"' + b"x" * (BATCH_BYTES // 4) + b'"}\n'
    file = write_lines(b"{}\n" * 5000 + big * 6)
    one = reader(file, longest=BATCH_BYTES)
    inference = Inference()
    one.infer(inference, START)
    batches = list(one.batches(START, inference.columns()))
    assert [batch.num_rows for batch in batches] == [4096, 908, 2]
    assert [batch.column("row")[0].as_py() for batch in batches] == [0, 4096, 5004]


def test_lines_that_are_no_rows_have_no_columns(write_lines: WriteLines) -> None:
    inference = Inference()
    reader(write_lines(b'{"id":[],"a":1}\n{"b":1}\n{"c":1')).infer(inference, START)
    assert [column.field.name for column in inference.columns()] == ["b"]


def test_counting_ends_when_told_to(write_lines: WriteLines) -> None:
    answers = iter([False, True])
    file = write_lines(b"{}\n" * 1_000_000)
    assert 0 < reader(file).count(lambda: next(answers)) < 1_000_000
