"""What a run was like over time, however often it was resumed.

A run's time is the sum of its processes' times: nights in which none ran take no room. `at` is in
seconds of it; other moments are Unix seconds (UTC). Costs are in nanos of the run's currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from batcher.errors import ErrorClass
from batcher.magnitudes import Magnitudes


class Beat(NamedTuple):
    """How calls flowed in a part of a second: since the beat before, or for half a second.

    So many `attempts` ended, those in `failures` with such a problem; `in_flight` of at most
    `limit` calls were on their way. For `paused` seconds none could be made, since something kept
    the run `waiting` (an outage, a pause that the provider asked for).
    """

    second: int
    attempts: int
    failures: Mapping[ErrorClass, int]
    in_flight: int
    limit: int
    paused: float
    waiting: str | None = None


class Ended(StrEnum):
    """How a process of a run ended, in order; of one that was killed there is no word."""

    DONE = "done"
    PENDING = "pending"
    HALTED = "halted"
    INTERRUPTED = "interrupted"
    DISK_FULL = "disk_full"


class Process(NamedTuple):
    """One process of a run; it was seen to work until `seen_at`.

    `ended` says how: a word of `Ended`, or None for one that was killed, or still works. Where it
    stopped by itself, `reason` says why, perhaps in the provider's words, and `error_class` what
    the provider's answer meant, if it was one.
    """

    number: int
    started_at: int
    seen_at: int
    ended: str | None
    error_class: ErrorClass | None = None
    reason: str | None = None

    @property
    def seconds(self) -> int:
        """How long it worked."""
        return self.seen_at - self.started_at + 1


class Moment(NamedTuple):
    """A step of time, `width` seconds long: what was recorded in it, and how calls flowed.

    `in_flight` is the most there were, `limit` that of then. `failures` counts the attempts, of all
    `attempts`, that ended in a problem, and in which.
    """

    process: int
    at: int
    second: int
    width: int
    results: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    cost: int
    attempts: int
    in_flight: int
    limit: int
    paused: float
    failures: Mapping[ErrorClass, int]


class Lately(NamedTuple):
    """The latest whole `seconds` of the last process, and how its calls flow now.

    `rows` are those that got their outcome then, and `waiting` what calls wait for, if they do.
    `ended`, `error_class` and `reason` are as in `Process`.
    """

    seconds: int
    rows: int
    tokens: int
    throttled: int
    in_flight: int
    limit: int
    waiting: str | None
    ended: str | None = None
    error_class: ErrorClass | None = None
    reason: str | None = None

    @property
    def rate(self) -> float | None:
        """Rows a second; None where no second has passed."""
        return self.rows / self.seconds if self.seconds else None


@dataclass(frozen=True, slots=True)
class History:
    """A run over time. Rows that were called again are counted each time.

    `latencies` are those of the answers in seconds, and tokens those of each result or error.
    `waiting` says what calls waited for when last heard of, if they did.
    """

    processes: Sequence[Process] = ()
    moments: Sequence[Moment] = ()
    latencies: Magnitudes = field(default_factory=Magnitudes)
    prompt_tokens: Magnitudes = field(default_factory=Magnitudes)
    completion_tokens: Magnitudes = field(default_factory=Magnitudes)
    waiting: str | None = None

    @property
    def seconds(self) -> int:
        """How long all processes worked."""
        return sum(process.seconds for process in self.processes)
