"""What copies need of the place where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """Files at some place, each there whole or not at all; `storage.Folder` is one.

    Every method raises StorageError where the place cannot do it.
    """

    @property
    def url(self) -> str:
        """Where it is, without any secret."""

    def read(self, name: str) -> bytes | None:
        """Return a small file; None where there is none of this name."""

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, in place of one that is there."""

    def upload(self, path: Path, name: str) -> None:
        """Write a file of this machine."""

    def download(self, name: str, to: Path) -> None:
        """Copy a file to `to`, which is there once it is whole, readable by its owner only."""

    def remove(self, name: str) -> None:
        """Remove a file; that there is none is fine."""

    def names(self) -> list[str]:
        """Return the names of the files."""
