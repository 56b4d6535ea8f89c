"""What lies at an address and below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from batcher.errors import StorageError
from batcher.storage import Address, entries_at, entries_below, entry_at


def of(path: Path) -> Address:
    return Address.of(f"file://{path}")


def test_a_file_a_folder_and_nothing_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    file, folder, nothing = entries_at([of(tmp_path / "file"), of(tmp_path), of(tmp_path / "no")])
    assert file is not None
    assert (file.is_file, file.size) == (True, 3)
    assert file.changed_ns == (tmp_path / "file").stat().st_mtime_ns
    assert folder is not None
    assert (folder.is_file, nothing) == (False, None)


def test_what_is_below_a_folder_is_listed_as_addresses(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(b"")
    (tmp_path / "a" / "b" / "file").write_bytes(b"")
    near = {e.address.url: e.is_file for e in entries_below(of(tmp_path / "a"), recursive=False)}
    assert near == {f"file://{tmp_path}/a/b": False, f"file://{tmp_path}/a/file": True}
    far = [e.address for e in entries_below(of(tmp_path / "a"), recursive=True) if e.is_file]
    assert sorted(address.path for address in far) == [
        f"{tmp_path}/a/b/file",
        f"{tmp_path}/a/file",
    ]


def test_there_is_nothing_below_what_is_not_there(tmp_path: Path) -> None:
    assert entries_below(of(tmp_path / "no"), recursive=True) == []


def test_a_store_that_cannot_be_asked_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read file://.*x+ and 1 other file: "):
        entries_at([of(tmp_path / ("x" * 300)), of(tmp_path)])
    assert entry_at(of(tmp_path)) is not None
