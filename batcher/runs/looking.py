"""One look at a run, and the next: what a live page tells of it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from batcher.checkpoint import FollowedCheckpoint
from batcher.checkpoint.following import Glance
from batcher.errors import BatcherError
from batcher.history import History
from batcher.observe.live import State
from batcher.runs.description import rows_of_run
from batcher.runs.directory import RunDirectory
from batcher.runs.remembered import Remembered

# What "now" is: long enough that the speed of a slow run is seen.
_LATELY_S = 30
# All but the history is read at once, however long the run. Of a run of weeks that takes a while:
# never more than this share of the time is spent on it.
_READING_SHARE = 0.05


@dataclass(slots=True)
class Look:
    """Looks at a run, again and again; from one thread at a time.

    Reads only, in short transactions, and nothing that grows with the rows; takes no lock that
    could keep a process from starting.
    """

    directory: RunDirectory
    monotonic: Callable[[], float] = time.monotonic
    _state: State = field(init=False)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _checkpoint: FollowedCheckpoint | None = None
    _file: tuple[int, int] | None = None
    _seen: Glance | None = None
    _history_due: float = -math.inf

    def __post_init__(self) -> None:
        """Begin with a run of which nothing is known but its name."""
        self._state = State(self.directory.path.resolve().name)

    def __call__(self) -> State | None:
        """Return the state of the run, or None where it is the same as before."""
        try:
            return self._look()
        # A directory may vanish between any two steps, and come back.
        except (BatcherError, OSError) as error:
            self.close()
            before = self._state
            if self.directory.checkpoint.exists():
                self._state = replace(before, gone=False, unreadable=str(error))
            else:
                self._state = replace(before, gone=True)
            return None if self._state == before else self._state

    def close(self) -> None:
        """Let go of the checkpoint; the next look opens it anew."""
        self._open.close()
        self._checkpoint = self._seen = None
        self._history_due = -math.inf

    def _look(self) -> State | None:
        path = self.directory.checkpoint
        if self._checkpoint is not None and self._file != _identity(path):
            self.close()
        if self._checkpoint is None:
            self._file = _identity(path)
            self._checkpoint = self._open.enter_context(FollowedCheckpoint.follow(path))
        seen = self._checkpoint.glance()
        if seen == self._seen:
            return None
        self._state = self._read(self._checkpoint, seen.writer)
        self._seen = seen
        return self._state

    def _read(self, checkpoint: FollowedCheckpoint, writer: str | None) -> State:
        run = Remembered(checkpoint)
        samples = run.samples
        rows = rows_of_run(checkpoint, self.directory)
        model = run.settings.get("model")
        return State(
            name=self._state.name,
            model=model if isinstance(model, str) else None,
            simulated=run.simulated,
            total=None if rows is None else rows * samples,
            samples=samples,
            writer=writer,
            counts=checkpoint.counts(),
            history=self._history(checkpoint, writer),
            lately=checkpoint.lately(_LATELY_S),
        )

    def _history(self, checkpoint: FollowedCheckpoint, writer: str | None) -> History:
        """Return the history as it is at the end of a process, else perhaps as it was."""
        began = self.monotonic()
        if writer is not None and began < self._history_due:
            return self._state.history
        history = checkpoint.history()
        now = self.monotonic()
        self._history_due = now + (now - began) / _READING_SHARE
        return history


def _identity(path: Path) -> tuple[int, int]:
    """Return which file has this name, so that one that takes its place is told from it."""
    found = path.stat()
    return found.st_dev, found.st_ino
