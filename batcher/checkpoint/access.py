"""Which thread may use what a checkpoint keeps open, until that is closed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from batcher.errors import DiskFullError, StorageError


class ClosedError(Exception):
    """The checkpoint is closed, or about to be, so that no other thread can use it any more."""


class Access:
    """To the connections and the log of one checkpoint, for several threads.

    Once the disk has failed in the hands of one of them, no other tries it again (promise 5).
    """

    def __init__(self, path: Path) -> None:
        """Guard the checkpoint at `path`."""
        self.lock = threading.Lock()
        """Held by whoever writes."""
        self._syncing = threading.Lock()
        self._backing_up = threading.Lock()
        self._failed: StorageError | ClosedError | None = None
        self._closed = ClosedError(f"{path} is closed")
        self._closing = False

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Let nobody else write in the block; raises what the disk failed with."""
        with self.lock, self._unless_failed():
            yield

    @contextlib.contextmanager
    def syncing(self) -> Iterator[None]:
        """Let nobody else sync in the block; raises what the disk failed with."""
        with self._syncing, self._unless_failed():
            yield

    @contextlib.contextmanager
    def backing_up(self) -> Iterator[None]:
        """Let the checkpoint stay open for the block, in which `go_on` is to be called."""
        with self._backing_up:
            yield

    def go_on(self) -> None:
        """Let a backup go on.

        Raises:
            ClosedError: somebody waits for its end.
        """
        if self._closing:
            raise self._closed

    def end(self) -> None:
        """Keep all threads off from now on, and wait for those that are at it.

        To close a connection that is in use would crash the process, so they are waited for
        whatever signal comes meanwhile, which is raised after that. A backup is broken off, and
        nothing else takes long.
        """
        self._closing = True
        raised: list[BaseException] = []
        while self._failed is not self._closed:
            try:
                with self._backing_up, self.lock, self._syncing:
                    self._failed = self._closed
            except BaseException as error:  # noqa: BLE001 -- raised below
                raised.append(error)
        if raised:
            raise raised[0]

    @contextlib.contextmanager
    def _unless_failed(self) -> Iterator[None]:
        if self._failed is not None:
            raise self._failed
        try:
            yield
        except DiskFullError:
            raise
        except StorageError as error:
            self._failed = error
            raise
