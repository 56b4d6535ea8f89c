"""A folder that a URL names, on the disk of this machine; tests/objects has it on servers."""

import stat
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from pyarrow.fs import FileSystem, LocalFileSystem

from batcher.errors import StorageError
from batcher.storage import Address, Folder, GivenUpError
from batcher.storage.files import Files


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.at(f"file://{tmp_path}/deep/er")


def test_a_folder_need_not_exist(folder: Folder) -> None:
    assert folder.names() == []
    assert folder.read("a") is None


def test_what_is_written_is_read(folder: Folder) -> None:
    folder.write("a", b"1")
    folder.write("a", b"2")
    folder.write("below/b", b"3")
    assert (folder.read("a"), folder.read("below/b")) == (b"2", b"3")
    assert folder.names() == ["a"]


def test_a_packed_file_is_read_as_it_is(folder: Folder) -> None:
    folder.write("a.gz", b"\x1f\x8b rest")
    assert folder.read("a.gz") == b"\x1f\x8b rest"


def test_files_go_up_and_come_down_again(folder: Folder, tmp_path: Path) -> None:
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(bytes(range(256)) * 40_000)
    folder.upload(here, "there")
    folder.download("there", back)
    assert back.read_bytes() == here.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "deep", "here"]


def test_a_file_that_is_not_there_is_said_so_and_leaves_nothing(
    folder: Folder, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match=r"there is no file://.*/deep/er/a"):
        folder.download("a", tmp_path / "back")
    assert list(tmp_path.iterdir()) == []


def test_removing_what_is_not_there_is_fine(folder: Folder) -> None:
    folder.write("a", b"1")
    folder.remove("a")
    folder.remove("a")
    assert folder.names() == []


def test_an_error_names_url_and_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = Folder.at(f"file://{tmp_path}/file")
    with pytest.raises(
        StorageError, match=r"cannot write file://.*/file/a: .*non-directory entry exists"
    ):
        folder.write("a", b"1")


def test_what_is_cut_short_while_it_is_sent_is_never_seen(folder: Folder, tmp_path: Path) -> None:
    folder.write("a", b"whole")
    (tmp_path / "here").mkdir()
    with pytest.raises(StorageError, match=r"cannot write file://.*/a: Is a directory"):
        folder.upload(tmp_path / "here", "a")
    assert folder.read("a") == b"whole"


def test_whether_one_may_write_is_tried_out_and_nothing_stays(tmp_path: Path) -> None:
    Folder.at(f"file://{tmp_path}/there").check_writable()
    assert [*(tmp_path / "there").iterdir()] == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot write file://.*/file/\.batcher-trial-"):
        Folder.at(f"file://{tmp_path}/file").check_writable()


class Lasting:
    """A store on this disk where nothing may be removed or replaced."""

    def __init__(self) -> None:
        self._inner = LocalFileSystem()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a store has
        return getattr(self._inner, name)

    def open_output_stream(self, name: str, compression: None) -> Any:  # noqa: ANN401 -- a stream
        if Path(name).exists():
            raise PermissionError("it is there")
        return self._inner.open_output_stream(name, compression=compression)

    def delete_file(self, _name: str) -> None:
        raise PermissionError("it stays")


def test_one_may_write_where_one_may_not_remove(tmp_path: Path) -> None:
    """What stays says what it is, and the next trial has another name."""
    address = Address.of(f"s3://bucket/{tmp_path}")
    folder = Folder(address, Files(cast("FileSystem", Lasting()), "s3"), str(tmp_path))
    folder.check_writable()
    folder.check_writable()
    left = [*tmp_path.iterdir()]
    assert len(left) == 2
    assert all(path.read_text().endswith("It can be removed.\n") for path in left)


class Slow:
    """A store on this disk that begins to read, and goes on when it is let."""

    def __init__(self) -> None:
        self._inner = LocalFileSystem()
        self.begun = threading.Event()
        self.let = threading.Event()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a store has
        return getattr(self._inner, name)

    def open_input_stream(self, name: str, compression: None) -> Any:  # noqa: ANN401 -- a stream
        self.begun.set()
        self.let.wait()
        return self._inner.open_input_stream(name, compression=compression)


def test_a_download_that_nobody_waits_for_any_more_leaves_nothing(tmp_path: Path) -> None:
    """Not even later, when another may be under way."""
    there, here, store = tmp_path / "there", tmp_path / "here", Slow()
    there.mkdir()
    here.mkdir()
    (there / "a").write_bytes(b"1")
    address = Address.of(f"file://{there}")
    folder = Folder(address, Files(cast("FileSystem", store), "file"), str(there))
    with pytest.raises(GivenUpError):
        folder.heeding(store.begun.is_set).download("a", here / "a")
    store.let.set()
    for thread in threading.enumerate():
        if thread.name == "batcher-store":
            thread.join()
    assert [*here.iterdir()] == []


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_brought_here_is_readable_by_its_owner_only(folder: Folder, tmp_path: Path) -> None:
    folder.write("a", b"1")
    folder.download("a", tmp_path / "back")
    assert _mode(tmp_path / "back") == 0o600
    assert _mode(tmp_path / "deep/er/a") == 0o644


def test_what_is_put_into_a_private_folder_is_so_too(tmp_path: Path) -> None:
    folder = Folder.at(f"file://{tmp_path}/there", private=True)
    (tmp_path / "here").write_bytes(b"1")
    for _ in range(2):
        folder.write("a", b"1")
        folder.upload(tmp_path / "here", "b")
    assert {_mode(path) for path in (tmp_path / "there").iterdir()} == {0o600}
