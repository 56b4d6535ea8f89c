"""Bytes as numbered lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.errors import InputError
from batcher.inputs.files import InputFile
from batcher.inputs.lines import Line, count_lines, find_line, read_lines

WriteLines = Callable[..., InputFile]
SUFFIXES = [".jsonl", ".jsonl.gz", ".jsonl.zst"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lines_are_numbered_and_placed_and_blank_ones_only_count(
    suffix: str, write_lines: WriteLines
) -> None:
    file = write_lines(b"one\r\n\n \t\r\ntwo\n\xff\x00\nlast", suffix)
    assert list(read_lines(file)) == [
        Line(1, 0, b"one", whole=True),
        Line(4, 10, b"two", whole=True),
        Line(5, 14, b"\xff\x00", whole=True),
        Line(6, 17, b"last", whole=True),
    ]


def test_only_the_newline_ends_a_line(write_lines: WriteLines) -> None:
    content = "a\u2028b\u2029c\x85d\x0be\x0cf\rg".encode()
    assert [line.content for line in read_lines(write_lines(content))] == [content]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_byte_order_mark_is_dropped_at_the_start_alone(
    suffix: str, write_lines: WriteLines
) -> None:
    bom = b"\xef\xbb\xbf"
    file = write_lines(bom + b"one\n" + bom + b"two\n", suffix)
    assert [line.content for line in read_lines(file)] == [b"one", bom + b"two"]
    assert list(read_lines(write_lines(bom, suffix))) == []
    assert [line.number for line in read_lines(write_lines(bom + b"\n1", suffix))] == [2]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.zst"])
def test_a_line_that_is_too_long_is_not_held_and_the_next_one_is_found(
    suffix: str, write_lines: WriteLines
) -> None:
    long = b"x" * 3_000_000
    file = write_lines(long + b"\nnext\n" + long, suffix)
    first, second, third = read_lines(file, longest=1_500_000)
    assert (first.whole, second.whole, third.whole) == (False, True, False)
    assert second == Line(2, 3_000_001, b"next", whole=True)
    assert third.number == 3
    assert long.startswith(first.content)
    assert 1000 < len(first.content) <= 1_500_000


def test_a_line_of_just_the_allowed_length_is_whole(write_lines: WriteLines) -> None:
    lines = list(read_lines(write_lines(b"12345\n12345\n123456\n12345"), longest=5))
    assert [line.whole for line in lines] == [True, True, False, True]


@given(
    content=st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b" ", b"\xef\xbb\xbf"])).map(
        b"".join
    ),
    suffix=st.sampled_from(SUFFIXES),
)
def test_reading_from_any_line_on_gives_the_last_lines(
    content: bytes, suffix: str, write_lines: WriteLines
) -> None:
    file = write_lines(content, suffix) if content else write_lines(b"\n", suffix)
    lines = list(read_lines(file))
    for index, line in enumerate(lines):
        assert list(read_lines(file, line.number, line.offset)) == lines[index:]
        raw = (
            content[line.offset :]
            .split(b"\n")[0]
            .removeprefix(b"" if line.offset else b"\xef\xbb\xbf")
        )
        assert line.content == raw.rstrip(b"\r")


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("left", [0, 1, 10, 0.5, -1])
def test_a_compressed_file_that_is_cut_short_is_an_error_after_what_is_left(
    suffix: str, left: float, write_lines: WriteLines
) -> None:
    content = b"".join(b"%d\n" % number for number in range(300_000))
    file = write_lines(content, suffix)
    packed = file.path.read_bytes()
    cut = int(len(packed) * left) if left == 0.5 else int(left)
    file.path.write_bytes(packed[:cut])
    numbers: list[int] = []
    with pytest.raises(InputError) as error:
        numbers.extend(line.number for line in read_lines(file))
    assert file.name in str(error.value)
    assert "\n" not in str(error.value)
    assert numbers == list(range(1, len(numbers) + 1))
    if cut:
        assert f"line {len(numbers) + 1}" in str(error.value)
    assert (len(numbers) > 100_000) == (left in (0.5, -1))


def test_a_file_that_is_not_compressed_as_its_name_says_is_an_error(
    write_lines: WriteLines,
) -> None:
    file = dataclasses.replace(write_lines(b'{"a": 1}\n'), compression="gzip")
    with pytest.raises(InputError, match=r"cannot read prompts\.jsonl, line 1: .*zlib"):
        list(read_lines(file))


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_a_file_that_is_gone_is_an_error(compression: str | None) -> None:
    file = InputFile(Path("/gone"), "gone.jsonl", "jsonl", compression)  # type: ignore[arg-type] # one of the two
    with pytest.raises(InputError, match=r"cannot read gone\.jsonl, line 1: No such file"):
        list(read_lines(file))


def test_several_compressed_parts_in_one_file_are_all_read(write_lines: WriteLines) -> None:
    for suffix in (".jsonl.gz", ".jsonl.zst"):
        one, two = write_lines(b"1\n2", suffix), write_lines(b"3\n4\n", suffix)
        one.path.write_bytes(one.path.read_bytes() + two.path.read_bytes())
        assert [line.content for line in read_lines(one)] == [b"1", b"23", b"4"]


@given(
    pieces=st.lists(st.sampled_from([b"{}", b" ", b"\r", b"\n", b"\x0b", b"x" * (2**20 - 1)])),
    mark=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_what_is_counted_and_found_is_what_is_read_wherever_the_pieces_of_the_file_end(
    pieces: list[bytes],
    mark: bool,  # noqa: FBT001 # drawn
    write_lines: WriteLines,
) -> None:
    file = write_lines((b"\xef\xbb\xbf" if mark else b"") + b"".join(pieces))
    lines, heard = list(read_lines(file)), bytearray()
    assert count_lines(file, lambda: False, heard.extend) == len(lines)
    assert heard == file.path.read_bytes()
    for row, line in enumerate(lines):
        assert find_line(file, row, lambda: False) == line
    assert find_line(file, len(lines), lambda: False) == len(lines)
