"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from batcher.errors import OutputError, StorageError
from batcher.outputs.publication import drafts, writing


def test_both_files_appear_only_when_both_are_complete(tmp_path: Path) -> None:
    with drafts(tmp_path, "a", "b") as (first, second):
        first.file.write(b"1")
        second.file.write(b"2")
        assert not first.target.exists()
        assert not second.target.exists()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"1", "b": b"2"}


def test_a_draft_is_hidden_beside_its_target_and_private(tmp_path: Path) -> None:
    with drafts(tmp_path, "results.parquet") as (draft,):
        assert draft.temporary.parent == tmp_path
        assert draft.temporary.name.startswith(".results.parquet.")
        assert draft.temporary.suffix == ".tmp"
        assert draft.temporary.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_exception_old_files_are_untouched_and_no_draft_is_left(
    tmp_path: Path, error: type[BaseException]
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def publish() -> None:
        with drafts(tmp_path, "a", "b") as (first, _):
            first.file.write(b"new")
            raise error

    with pytest.raises(error):
        publish()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_a_disk_that_fails_to_sync_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two files fails, after the first is already on disk."""
    (tmp_path / "a").write_bytes(b"old")
    synced: list[int] = []

    def fsync(number: int) -> None:
        synced.append(number)
        if len(synced) == 2:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with (
        pytest.raises(StorageError, match=r"cannot write .*b: Input/output error.*export again"),
        drafts(tmp_path, "a", "b") as (first, _),
    ):
        first.file.write(b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_files_and_then_their_directory_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(number: int) -> None:
        inode = os.fstat(number).st_ino
        (name,) = [p.suffix for p in (tmp_path, *tmp_path.iterdir()) if p.stat().st_ino == inode]
        synced.append(name)

    monkeypatch.setattr(os, "fsync", fsync)
    with drafts(tmp_path, "a", "b"):
        pass
    assert synced == [".tmp", ".tmp", ""]


def test_a_directory_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot create .*: No such file"),
        drafts(tmp_path / "gone", "a"),
    ):
        pass


def test_a_directory_in_the_place_of_one_file_is_noticed_before_the_other_is_replaced(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputError, match="a directory has this name"), drafts(tmp_path, "a", "b"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_an_error_of_the_system_names_the_file_and_the_way_out() -> None:
    with (
        pytest.raises(StorageError, match=r"results\.csv: No space left.*make room") as raised,
        writing(Path("results.csv")),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert isinstance(raised.value.__cause__, OSError)
