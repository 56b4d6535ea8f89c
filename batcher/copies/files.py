"""Files on their way between a run directory and a store."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from batcher.copies.store import Store
from batcher.errors import StorageError

# What lies in a run directory only while it is being carried, or after a kill.
OUTGOING = ".checkpoint.copy.db"
INCOMING = ".checkpoint.taken.db"


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's content; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetched(store: Store, name: str, to: Path, size: int, sha256: str) -> None:
    """Bring a file of the store here, on the disk.

    Raises:
        StorageError: it is not there, or not what was put there.
    """
    store.download(name, to)
    if to.stat().st_size != size or digest_of(to) != sha256:
        to.unlink()
        raise StorageError(
            f"{store.url}/{name} is not what was put there: it is damaged. Put it back; or name "
            "another place for copies, and every row is called anew"
        )
    with to.open("rb") as file:
        os.fsync(file.fileno())


def removed_leftovers(directory: Path) -> None:
    """Remove what a killed process left that carried something."""
    for name in (OUTGOING, INCOMING):
        for path in directory.glob(f"{name}*"):
            path.unlink(missing_ok=True)
