"""Files that are read by ranges; on the disk of this machine, as if it were a store."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from batcher.errors import InputError
from batcher.storage import Address, RemoteReader
from batcher.storage.remote import PIECE

CONTENT = bytes(range(251)) * (2 * PIECE // 251 + 100)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Address:
    path = tmp_path_factory.mktemp("store") / "file"
    path.write_bytes(CONTENT)
    return Address.of(f"file://{path}")


both = pytest.mark.parametrize("ahead", [True, False])


@both
def test_all_is_read(address: Address, ahead: bool) -> None:  # noqa: FBT001 -- a case
    reader = RemoteReader(address, ahead=ahead)
    assert reader.size == len(CONTENT)
    assert io.BufferedReader(reader, 1 << 20).read() == CONTENT
    assert reader.read(1) == b""


@both
@pytest.mark.parametrize(
    ("start", "length"),
    [(0, 10), (PIECE - 5, 10), (PIECE, 1), (len(CONTENT) - 3, 10), (len(CONTENT) + 9, 10)],
)
def test_a_part_is_read_whole_wherever_it_stands(
    address: Address,
    ahead: bool,  # noqa: FBT001 -- a case
    start: int,
    length: int,
) -> None:
    reader = RemoteReader(address, ahead=ahead)
    assert reader.seek(start) == reader.tell() == start
    assert reader.read(length) == CONTENT[start : start + length]


def test_places_are_counted_from_start_here_and_end(address: Address) -> None:
    reader = RemoteReader(address, ahead=False)
    assert reader.seek(-7, io.SEEK_END) == len(CONTENT) - 7
    assert reader.seek(3, io.SEEK_CUR) == len(CONTENT) - 4
    assert reader.read() == CONTENT[-4:]
    assert (reader.readable(), reader.seekable()) == (True, True)


def test_a_file_that_is_not_there_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"no such file: file:///no/such/file"):
        RemoteReader(Address.of("file:///no/such/file"), ahead=True)


@pytest.mark.parametrize("change", ["longer", "gone"])
def test_a_file_that_was_replaced_is_an_input_error_and_not_a_mixture(
    tmp_path: Path, change: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    reader = RemoteReader(Address.of(f"file://{path}"), ahead=False)
    assert reader.read(10) == CONTENT[:10]
    path.unlink()
    if change == "longer":
        path.write_bytes(CONTENT + b"!")
    with pytest.raises(InputError, match="was replaced or removed while it was read"):
        reader.read(10)
