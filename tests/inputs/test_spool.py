"""Copies of what came in no file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from batcher.errors import StorageError
from batcher.inputs.files import InputFile
from batcher.inputs.spool import ROWS_JSONL, ROWS_PARQUET, fresh, keep_spooled, keeping, newest


def _spooled(directory: Path, content: bytes, name: str = ROWS_JSONL) -> InputFile:
    with fresh(directory / name, "rows") as file:
        file.write(content)
    return InputFile(newest(directory / name, "rows"), "rows", "jsonl", None)


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_copy_is_its_owner_s_alone_and_in_place_only_for_good(tmp_path: Path) -> None:
    file = _spooled(tmp_path, b"{}\n")
    assert _names(tmp_path) == [f"{ROWS_JSONL}.new"]
    kept = keep_spooled(file)
    assert (kept.path, kept.path.read_bytes()) == (tmp_path / ROWS_JSONL, b"{}\n")
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert _names(tmp_path) == [ROWS_JSONL]


def test_a_copy_that_says_the_same_leaves_the_earlier_one_alone(tmp_path: Path) -> None:
    """Its time stays as well, so that the fingerprint does."""
    kept = keep_spooled(_spooled(tmp_path, b"{}\n"))
    before = kept.path.stat()
    again = keep_spooled(_spooled(tmp_path, b"{}\n"))
    assert again == kept
    assert again.path.stat().st_mtime_ns == before.st_mtime_ns
    assert _names(tmp_path) == [ROWS_JSONL]


def test_a_copy_of_another_kind_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    keep_spooled(_spooled(tmp_path, b"{}\n"))
    keep_spooled(_spooled(tmp_path, b"PAR1", ROWS_PARQUET))
    assert _names(tmp_path) == [ROWS_PARQUET]


def _failing(directory: Path) -> None:
    with fresh(directory / ROWS_JSONL, "rows") as file:
        file.write(b"{}\n")
        raise LookupError


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    kept = keep_spooled(_spooled(tmp_path, b"{}\n"))
    with pytest.raises(LookupError):
        _failing(tmp_path)
    assert _names(tmp_path) == [ROWS_JSONL]
    assert kept.path.read_bytes() == b"{}\n"


def test_a_copy_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / f"{ROWS_JSONL}.new").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="cannot keep rows"):
        _spooled(tmp_path, b"{}\n")
    assert not (tmp_path / "elsewhere").exists()


def _on_full_disk(directory: Path) -> None:
    with fresh(directory / ROWS_JSONL, "rows") as file, keeping("rows"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)


def test_a_full_disk_is_told_of_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot keep rows: .*No space left"):
        _on_full_disk(tmp_path)
    assert _names(tmp_path) == []


def test_a_file_of_the_user_s_is_no_copy(tmp_path: Path) -> None:
    (tmp_path / "stdin.jsonl").write_bytes(b"{}\n")
    file = InputFile(tmp_path / "prompts.jsonl", "prompts.jsonl", "jsonl", None)
    assert keep_spooled(file) is file
    assert _names(tmp_path) == ["stdin.jsonl"]
