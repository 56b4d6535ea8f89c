"""One output, divided into files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import OutputError, StorageError
from batcher.outputs.interface import Sink
from batcher.outputs.partitions import Bounds, Naming, Partitions
from batcher.outputs.publication import publication

SCHEMA = pa.schema([pa.field("n", pa.int64())])
PARTS = Naming("results", ".txt", is_partitioned=True)
WHOLE = Naming("results", ".txt", is_partitioned=False)


class _Lines:
    """A sink that writes a line for each row, and one at its end."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def write(self, batch: pa.RecordBatch) -> None:
        numbers = batch.column("n").to_pylist()
        self.file.write("".join(f"{number}\n" for number in numbers).encode())


@contextlib.contextmanager
def _start(file: BinaryIO) -> Iterator[Sink]:
    yield _Lines(file)
    file.write(b".\n")


def _batch(start: int, rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(range(start, start + rows), pa.int64())], ["n"])


def _write(directory: Path, naming: Naming, bounds: Bounds, sizes: list[int]) -> Partitions:
    with (
        publication(directory) as published,
        Partitions(published, naming, bounds, _start) as parts,
    ):
        for index, size in enumerate(sizes):
            parts.write(_batch(sum(sizes[:index]), size))
    return parts


def _read(directory: Path) -> dict[str, list[str]]:
    paths = sorted(directory.iterdir())
    return {path.name: path.read_text().splitlines() for path in paths}


@given(sizes=st.lists(st.integers(0, 7), max_size=6), rows=st.integers(1, 9))
def test_the_partitions_are_the_rows_in_order_each_full_but_the_last(
    sizes: list[int], rows: int
) -> None:
    with TemporaryDirectory() as name:
        parts = _write(Path(name), PARTS, Bounds(rows), sizes)
        read = _read(Path(name))
    assert [line for lines in read.values() for line in lines[:-1]] == [
        str(number) for number in range(sum(sizes))
    ]
    *full, last = (len(lines) - 1 for lines in read.values())
    assert all(length == rows for length in full)
    assert last <= rows
    assert parts.rows == sum(sizes)
    total = len(read)
    assert list(read) == [PARTS.name(number, total) for number in range(total)]


def test_without_bounds_there_is_one_file_with_its_plain_name(tmp_path: Path) -> None:
    parts = _write(tmp_path, WHOLE, Bounds(), [2, 1])
    assert _read(tmp_path) == {"results.txt": ["0", "1", "2", "."]}
    assert parts.path == tmp_path / "results.txt"


def test_a_partition_ends_with_the_batch_that_reaches_its_bytes(tmp_path: Path) -> None:
    _write(tmp_path, PARTS, Bounds(bytes=16), [1, 2, 1, 1])
    assert list(_read(tmp_path).values()) == [["0", "1", "2", "."], ["3", "4", "."]]


def test_the_path_of_partitions_is_a_pattern_that_finds_them_all(tmp_path: Path) -> None:
    parts = _write(tmp_path, PARTS, Bounds(1), [3])
    assert sorted(tmp_path.glob(parts.path.name)) == sorted(tmp_path.iterdir())
    assert parts.path.name == "results-*-of-00003.txt"


def test_the_partitions_of_an_earlier_export_go_and_nothing_else_does(tmp_path: Path) -> None:
    _write(tmp_path, PARTS, Bounds(1), [5])
    for name in ("results.txt", "results-1-of-2.txt", "errors-00000-of-00001.txt"):
        (tmp_path / name).write_text("mine")
    _write(tmp_path, PARTS, Bounds(2), [3])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "errors-00000-of-00001.txt",
        "results-00000-of-00002.txt",
        "results-00001-of-00002.txt",
        "results-1-of-2.txt",
        "results.txt",
    ]


def test_one_file_leaves_the_partitions_of_an_earlier_export_alone(tmp_path: Path) -> None:
    _write(tmp_path, PARTS, Bounds(1), [2])
    _write(tmp_path, WHOLE, Bounds(), [2])
    assert len(_read(tmp_path)) == 3


def test_only_one_file_is_open_however_many_there_are(tmp_path: Path) -> None:
    with (
        publication(tmp_path) as published,
        Partitions(published, PARTS, Bounds(1), _start) as parts,
    ):
        parts.write(_batch(0, 50))
        # Its own descriptor is gone by the time that the listing is read.
        links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        assert sum(link.parent == tmp_path for link in links) == 1
        assert len(parts.files) == 50


def test_an_exception_between_partitions_leaves_the_old_ones_and_no_new(tmp_path: Path) -> None:
    _write(tmp_path, PARTS, Bounds(1), [2])
    old = _read(tmp_path)

    def broken() -> None:
        with (
            publication(tmp_path) as published,
            Partitions(published, PARTS, Bounds(1), _start) as parts,
        ):
            parts.write(_batch(10, 3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert _read(tmp_path) == old


def test_what_a_format_cannot_hold_is_an_output_error_that_names_the_way_out(
    tmp_path: Path,
) -> None:
    @contextlib.contextmanager
    def refuse(file: BinaryIO) -> Iterator[Sink]:
        if file.writable():
            raise pa.ArrowInvalid("no such type")
        yield _Lines(file)

    def refused() -> None:
        with publication(tmp_path) as published, Partitions(published, PARTS, Bounds(), refuse):
            pass

    with pytest.raises(OutputError, match=r"results-00000\.txt: no such type; --format jsonl"):
        refused()
    assert _read(tmp_path) == {}


def test_an_error_at_the_end_of_a_file_is_a_storage_error_that_names_it(tmp_path: Path) -> None:
    @contextlib.contextmanager
    def failing(file: BinaryIO) -> Iterator[Sink]:
        yield _Lines(file)
        raise pa.ArrowInvalid("no such value")

    def failed() -> None:
        with (
            publication(tmp_path) as published,
            Partitions(published, PARTS, Bounds(1), failing) as parts,
        ):
            parts.write(_batch(0, 2))

    with pytest.raises(StorageError, match=r"results-00000\.txt: no such value; --format jsonl"):
        failed()
    assert _read(tmp_path) == {}


@pytest.mark.parametrize(
    ("naming", "name"),
    [
        (PARTS, "results-00002-of-00003.txt"),
        (PARTS, "results-100002-of-123456.txt"),
        (WHOLE, "results.txt"),
    ],
)
def test_a_name_that_an_export_gives_may_be_one_of_its_files(naming: Naming, name: str) -> None:
    assert naming.may_be(name)


@pytest.mark.parametrize(
    ("naming", "name"),
    [
        (PARTS, "results.txt"),
        (PARTS, "results-2-of-3.txt"),
        (PARTS, "results-00002-of-00003.txt.gz"),
        (PARTS, "data/results-00002-of-00003.txt"),
        (WHOLE, "results-00002-of-00003.txt"),
        (WHOLE, "resultsxtxt"),
    ],
)
def test_no_other_name_may_be_one_of_its_files(naming: Naming, name: str) -> None:
    assert not naming.may_be(name)
