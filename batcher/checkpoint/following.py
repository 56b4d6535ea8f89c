"""A checkpoint that is looked at again and again, while another process writes it or none does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from batcher.checkpoint import chronicle
from batcher.checkpoint.connection import translated
from batcher.checkpoint.ownership import working
from batcher.checkpoint.reader import CheckpointReader
from batcher.history import Lately


class Glance(NamedTuple):
    """What costs nothing to look at, however long the run is.

    `version` is another one whenever something was written; `writer` names the process that works
    on the run, None where none does.
    """

    version: int
    writer: str | None


class FollowedCheckpoint(CheckpointReader):
    """A checkpoint that others write. No lock is taken that could keep a run from starting."""

    @staticmethod
    @contextlib.contextmanager
    def follow(path: Path) -> Iterator[FollowedCheckpoint]:
        """Open an existing checkpoint, as `read` does.

        Raises:
            StorageError: there is none, or it is damaged, or of another program or version.
        """
        with CheckpointReader.read(path) as reader:
            yield FollowedCheckpoint(path, reader._reader)  # noqa: SLF001 -- of its own base

    def glance(self, clock: Callable[[], float] = time.time) -> Glance:
        """Look whether anything was written, and who works on the run by `clock`.

        Raises:
            StorageError: it cannot be read.
        """
        with translated(self.path):
            (version,) = self._reader.execute("PRAGMA data_version").fetchone()
            return Glance(version, working(self._reader, clock))

    def lately(self, seconds: int) -> Lately | None:
        """Return how the last process went in its latest `seconds`; None where there was none.

        Raises:
            StorageError: it cannot be read.
        """
        with translated(self.path):
            return chronicle.lately_in(self._reader, seconds)
