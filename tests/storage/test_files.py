"""Files of a store that does not put one in the place of another, as HDFS and SFTP do not."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.fs import FileSystem, FileType, LocalFileSystem

from batcher.storage.files import Files


class KilledError(BaseException):
    """The process is gone."""


class TwoSteps:
    """A store on this disk which refuses to replace; `kill_at` its n-th change, it is killed."""

    def __init__(self, kill_at: int | None = None) -> None:
        self._inner = LocalFileSystem()
        self._kill_at = kill_at
        self._changes = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a store has
        return getattr(self._inner, name)

    def create_dir(self, path: str, *, recursive: bool) -> None:
        self._change(lambda: self._inner.create_dir(path, recursive=recursive))

    def delete_file(self, path: str) -> None:
        self._change(lambda: self._inner.delete_file(path))

    def move(self, path: str, to: str) -> None:
        if self._inner.get_file_info(to).type != FileType.NotFound:
            raise OSError(f"{to} exists")
        self._change(lambda: self._inner.move(path, to))

    def _change(self, change: Callable[[], None]) -> None:
        self._changes += 1
        if self._changes == self._kill_at:
            raise KilledError
        change()


def files(kill_at: int | None = None) -> Files:
    return Files(cast("FileSystem", TwoSteps(kill_at)), "sftp")


def put(to: Files, path: Path, content: bytes) -> None:
    to.put(io.BytesIO(content), len(content), str(path), lambda: None)


def seen(path: Path) -> bytes | None:
    """Return what the next process finds, whichever way it looks."""
    try:
        read = files().read(str(path))
    except FileNotFoundError:
        with pytest.raises(FileNotFoundError):
            files().fetch(str(path), path.with_name("fetched"), lambda: None)
        assert files().names(str(path.parent)) == []
        return None
    files().fetch(str(path), path.parent.parent / "fetched", lambda: None)
    assert (path.parent.parent / "fetched").read_bytes() == read
    assert files().names(str(path.parent)) == [path.name]
    return read


@given(kills=st.lists(st.none() | st.integers(1, 6), min_size=1, max_size=6))
def test_a_kill_at_any_moment_leaves_the_new_file_or_the_one_before(
    kills: list[int | None],
) -> None:
    """And once one was there, there is one, however often it was replaced and killed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copies" / "latest.json"
        before = None
        for number, kill_at in enumerate(kills):
            new = str(number).encode()
            try:
                put(files(kill_at), path, new)
                assert seen(path) == new
            except KilledError:
                assert seen(path) in (before, new)
            before = seen(path)
        put(files(), path, b"last")
        assert seen(path) == b"last"
        left = [name.name for name in path.parent.iterdir() if not name.name.endswith(".part")]
        assert left == [path.name]


@pytest.mark.parametrize("kill_at", [1, 2, None])
def test_what_is_removed_does_not_come_back_as_it_was_before(
    kill_at: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "copies" / "latest.json"
    put(files(), path, b"1")
    # The new one is there, and the one before has not gone.
    with pytest.raises(KilledError):
        put(files(5), path, b"2")
    assert sorted(p.name for p in path.parent.iterdir()) == [".latest.json.replaced", path.name]
    try:
        files(kill_at).remove(str(path))
    except KilledError:
        assert seen(path) in (b"2", None)
    files().remove(str(path))
    assert seen(path) is None
    assert [*path.parent.iterdir()] == []


def test_a_file_whose_place_was_just_taken_is_found_at_the_second_look(tmp_path: Path) -> None:
    """Between two looks the new one may have come, and the one before have gone."""
    path = tmp_path / "latest.json"

    class Late(TwoSteps):
        looked = 0

        def open_input_stream(self, name: str, compression: None) -> Any:  # noqa: ANN401 -- a stream
            self.looked += 1
            if self.looked == 2:
                path.write_bytes(b"new")
            return self._inner.open_input_stream(name, compression=compression)

    assert Files(cast("FileSystem", Late()), "hdfs").read(str(path)) == b"new"
