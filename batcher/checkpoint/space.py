"""Space on the disk of a checkpoint that a backup may take: what answers need stays theirs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from batcher.checkpoint.reserve import MAX_BYTES
from batcher.errors import DiskFullError

# So the disk is never full because of a backup. And as no reserve is larger, what it gives back on
# a full disk stays for the answers in flight.
MARGIN_BYTES = MAX_BYTES

Free = Callable[[Path], int]
"""Says how many bytes this process can write in a directory."""


def free_at(directory: Path) -> int:
    """Return how many bytes are free there; more than anyone has, where the disk does not say.

    Raises:
        OSError: there is no such directory.
    """
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize if found.f_blocks else sys.maxsize


class Space:
    """The space beside a checkpoint; `full` says that an answer found none since `begin`."""

    def __init__(self, path: Path) -> None:
        """Look beside the checkpoint at `path`."""
        self._path = path
        self.full = False

    def begin(self, free: Free) -> Callable[[], None]:
        """Make sure that a backup leaves `MARGIN_BYTES`; to call what is returned does so again.

        That does not rely on `free` alone, which knows of no quota.

        Raises, and so does what is returned:
            DiskFullError: it does not.
        """
        self.full = False
        log = self._path.with_name(f"{self._path.name}-wal")
        # What is in the log may be in the file as well: so this is more than it can take.
        size = sum(file.stat().st_size for file in (self._path, log) if file.exists())
        self._assure(size, size, free)
        return lambda: self._assure(0, size, free)

    def _assure(self, more: int, size: int, free: Free) -> None:
        directory = self._path.parent
        left = free(directory)
        if self.full or left < more + MARGIN_BYTES:
            raise DiskFullError(
                f"there is no room for it: it takes {size / 2**20:,.1f} MiB, and "
                f"{left / 2**20:,.1f} MiB are free at {directory}, of which "
                f"{MARGIN_BYTES / 2**20:,.0f} MiB are left for answers"
            )
