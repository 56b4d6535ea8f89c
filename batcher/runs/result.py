"""How a run ended, for whoever carries it out."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from batcher.errors import (
    DiskFullError,
    Halt,
    InputError,
    RowsPendingError,
    StorageError,
    TooManyRowErrorsError,
)
from batcher.history import Ended
from batcher.job import OutputSpec
from batcher.observe import Summary
from batcher.runs.endings import how_ended


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: stopped by the provider or a ceiling, a signal, a full disk, or not.

    `left` are the rows that were to be called and were not; None where nobody knows. The process
    must have ended in `hurry` seconds, where a signal asked it to. `copied` says whether the copy
    of the checkpoint has all of it; None where none is kept.
    """

    summary: Summary
    halted: Halt | None
    interrupted: signal.Signals | None
    disk_full: bool = False
    left: int | None = 0
    hurry: float | None = None
    copied: bool | None = None

    @property
    def ended(self) -> Ended:
        """How it ended, in a word: the one that decides its exit code."""
        return how_ended(
            self.halted,
            self.interrupted,
            self.left,
            self.summary.pending,
            disk_full=self.disk_full,
        )

    def exit_code(self, output: OutputSpec) -> int:
        """Return that of a process whose run ended so, in order (docs/errors.md)."""
        match self.ended:
            case Ended.DISK_FULL:
                return DiskFullError.exit_code
            case Ended.HALTED if self.halted is not None:
                return self.halted.exit_code
            case Ended.INTERRUPTED if self.interrupted is not None:
                return 128 + self.interrupted
            case _:
                return self._unstopped(output)

    def _unstopped(self, output: OutputSpec) -> int:
        """Return the exit code where nothing stopped the calls."""
        summary, counts = self.summary, self.summary.counts
        if summary.unexported is not None:
            # There was time for it, so its input is the reason.
            return InputError.exit_code
        if self.ended is Ended.PENDING:
            return RowsPendingError.exit_code
        if summary.undelivered is not None or self.copied is False:
            # To try again is of use, though no row is left to be called.
            return StorageError.exit_code
        allowed = output.allows(counts.error_rows, counts.rows)
        return 0 if allowed else TooManyRowErrorsError.exit_code
