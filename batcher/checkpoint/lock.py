"""One process a run directory: an flock on `lock`, whose text says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from batcher.errors import LockedError, OutputError


class RunLock:
    """The right to write in one run directory."""

    @staticmethod
    @contextlib.contextmanager
    def held(directory: Path) -> Iterator[None]:
        """Hold the lock of `directory` for the length of a `with` block.

        The kernel lets go of it when the process ends, however it ends, so a stale file never
        blocks anyone.

        Raises:
            LockedError: another process holds it; the message says who and since when.
            OutputError: the lock file cannot be created, locked or written.
        """
        path = directory / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputError(f"cannot create {path}: {error.strerror}") from None
        try:
            _take(descriptor, directory)
            yield
        finally:
            os.close(descriptor)


def _take(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        who = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(who).encode(), 0)
    except BlockingIOError:
        holder = _named(os.pread(descriptor, 4096, 0))
        raise LockedError(
            f"another run works in {directory}: {holder}. Wait for it, or stop it; "
            f"`batcher status {directory}` shows how far it is"
        ) from None
    except OSError as error:
        raise OutputError(
            f"cannot lock {directory}: {error.strerror}; free space there, or name a directory on "
            "a local disk with -o"
        ) from None


def _named(text: bytes) -> str:
    try:
        who = json.loads(text)
        return f"process {who['pid']} on {who['host']}, since {who['since']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has not said its name yet"
