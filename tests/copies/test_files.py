"""Files on their way between a run directory and a store."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from batcher.copies.files import INCOMING, OUTGOING, digest_of, fetched, removed_leftovers
from batcher.errors import StorageError
from tests.copies.memory import Memory


def test_what_is_brought_here_is_what_was_put_there_and_for_its_owner_only(
    store: Memory, tmp_path: Path
) -> None:
    store.files["a"] = b"paid"
    to = tmp_path / "b"
    to.write_text("left over")
    sha256 = hashlib.sha256(b"paid").hexdigest()
    fetched(store, "a", to, 4, sha256)
    assert to.read_bytes() == b"paid"
    assert digest_of(to) == sha256
    assert stat.S_IMODE(to.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"pai", b"paix", b""])
def test_what_is_not_what_was_put_there_is_named_and_not_kept(
    store: Memory, tmp_path: Path, content: bytes
) -> None:
    store.files["a"] = content
    with pytest.raises(StorageError, match="memory://copies/a is not what was put there"):
        fetched(store, "a", tmp_path / "b", 4, hashlib.sha256(b"paid").hexdigest())
    assert [*tmp_path.iterdir()] == []


def test_what_a_killed_process_was_carrying_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (OUTGOING, INCOMING, f"{INCOMING}-journal", f"{INCOMING}.input", "checkpoint.db"):
        (tmp_path / name).touch()
    removed_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.db"]
