"""The state of a run at a moment, as a live page tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from batcher.history import Ended, History, Lately
from batcher.recorded import NOTHING_YET, Counts


class Phase(StrEnum):
    """What a run is doing.

    One that is `WAITING` cannot call for now, and a `BUSY` one makes no calls: it reads its input
    or writes its files. Of a run that was `KILLED` there is no word about its end. One is `GONE`
    when its directory was moved or deleted, and `UNREADABLE` when its checkpoint is.
    """

    RUNNING = "running"
    WAITING = "waiting"
    BUSY = "busy"
    FINISHED = "finished"
    STOPPED = "stopped"
    KILLED = "killed"
    GONE = "gone"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class State:
    """A run at a moment.

    `total` counts records (rows times `samples`), None where nobody has counted the input, and
    `writer` names the process that works on it. The `history` may be a little older than the rest.
    Where the run is `gone`, or `unreadable` as that text says, all is what was read last.
    """

    name: str
    model: str | None = None
    simulated: bool = False
    total: int | None = None
    samples: int = 1
    writer: str | None = None
    counts: Counts = NOTHING_YET
    history: History = field(default_factory=History)
    lately: Lately | None = None
    gone: bool = False
    unreadable: str | None = None

    @property
    def pending(self) -> int | None:
        """Records without an outcome; None where nobody knows."""
        return None if self.total is None else max(0, self.total - self.counts.rows)

    @property
    def ended(self) -> str | None:
        """How the last process ended; None where there is no word of it."""
        return self.lately.ended if self.lately else None

    @property
    def waiting(self) -> str | None:
        """What calls wait for, if they do."""
        return self.lately.waiting if self.lately else None

    @property
    def phase(self) -> Phase:
        """What the run is doing."""
        if self.gone:
            return Phase.GONE
        if self.unreadable is not None:
            return Phase.UNREADABLE
        if self.writer is not None:
            if self.pending == 0 or self.ended is not None:
                return Phase.BUSY
            return Phase.WAITING if self.waiting else Phase.RUNNING
        if self.lately and self.ended is None:
            return Phase.KILLED
        done = self.pending == 0 or (self.pending is None and self.ended == Ended.DONE)
        return Phase.FINISHED if done else Phase.STOPPED

    @property
    def moving(self) -> bool:
        """Whether calls are made, or would be if they could."""
        return self.phase in (Phase.RUNNING, Phase.WAITING)

    @property
    def rate(self) -> float | None:
        """Rows a second now; None where none are called."""
        return self.lately.rate if self.moving and self.lately else None

    @property
    def time_left(self) -> float | None:
        """Seconds until all rows have an outcome, if it goes on like this; None: nobody knows."""
        if not self.rate or self.pending is None:
            return None
        return self.pending / self.rate
