"""Space kept for what is in flight when the disk is full (reliability.md promise 7)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from batcher.errors import StorageError

# An answer of the greatest allowed size in each of a thousand calls would be 64 GB; answers are
# some kilobytes, so this holds those of many thousand calls.
MAX_BYTES = 64 * 1024 * 1024
# What recording an answer may take beside its text: pages of tables, indexes and log.
OVERHEAD_BYTES = 64 * 1024

Allocate = Callable[[int, int, int], None]
# macOS has none.
_ALLOCATE: Allocate | None = getattr(os, "posix_fallocate", None)


class Reserve:
    """A file that only takes up space, until that space is needed."""

    def __init__(self, path: Path) -> None:
        """Use `held`."""
        self._path = path

    @classmethod
    @contextlib.contextmanager
    def held(
        cls, path: Path, calls: int, largest: int, allocate: Allocate | None = _ALLOCATE
    ) -> Iterator[Reserve]:
        """Keep room at `path` for the answers of `calls`, of `largest` bytes at most each.

        It is kept for the length of a `with` block, and is never more than `MAX_BYTES`.

        Where the system cannot `allocate`, the space is filled with zeros.

        Raises:
            StorageError: there is no such room.
        """
        size = min(calls * (largest + OVERHEAD_BYTES), MAX_BYTES)
        reserve = cls(path)
        try:
            try:
                _take_up(path, size, allocate or _fill)
            except OSError as error:
                raise StorageError(
                    f"cannot reserve {size / 2**20:,.1f} MiB in {path.parent} for the answers in "
                    f"flight, should the disk fill up: {error.strerror}. Nothing was called; free "
                    "space there, or name another directory with -o"
                ) from None
            yield reserve
        finally:
            reserve.release()

    def release(self) -> None:
        """Give the space back to whoever writes next."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def _take_up(path: Path, size: int, allocate: Allocate) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        allocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


def _fill(descriptor: int, offset: int, size: int) -> None:
    zeros = memoryview(bytes(2**20))
    end = offset + size
    while offset < end:
        offset += os.pwrite(descriptor, zeros[: end - offset], offset)
