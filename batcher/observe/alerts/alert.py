"""What a run tells those who do not look at it: values that hold no prompt, no answer and no key.

Nor does any hold a text of the provider, which may quote a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from batcher.errors import ErrorClass
from batcher.money import Money


class Event(StrEnum):
    """What can be told."""

    FINISH = "finish"
    FAILURE = "failure"
    OUTAGE = "outage"
    RECOVERED = "recovered"
    ERROR_RATE = "error_rate"
    COST = "cost"

    @property
    def told_as(self) -> str:
        """The word of a webhook's `on` that asks for it: the end of an outage comes with it."""
        return (Event.OUTAGE if self.is_of_outage else self).value

    @property
    def is_of_outage(self) -> bool:
        """Whether it tells of an outage, or of its end."""
        return self in (Event.OUTAGE, Event.RECOVERED)


class Cause(StrEnum):
    """Why a run did not end well."""

    TOO_MANY_ERRORS = "too_many_errors"
    PROVIDER = "provider"
    STOPPED = "stopped"
    PENDING = "pending"
    INTERRUPTED = "interrupted"
    DISK_FULL = "disk_full"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Why:
    """Why a run failed. `detail` is a class of errors, a signal, or a sentence of ours."""

    cause: Cause
    detail: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a run is. Costs are in nanos of `currency`, None where no price is known.

    `total` is None where nobody has counted the input, `rows_per_s` and `left_s` where there is
    nothing to go by.
    """

    done: int = 0
    total: int | None = None
    results: int = 0
    errors: Mapping[ErrorClass, int] = field(default_factory=dict)
    cost: int = 0
    possible_cost: int = 0
    currency: str | None = None
    rows_per_s: float | None = None
    left_s: float | None = None

    @property
    def error_rows(self) -> int:
        """Rows that ended in an error."""
        return sum(self.errors.values())

    def without_speed(self) -> Figures:
        """Return these without speed and time left, which a mean over an outage belies."""
        return replace(self, rows_per_s=None, left_s=None)


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell of the run in the directory `run` on the machine `host`.

    `at` is in Unix seconds; `lasted` says how many seconds no call could be made, `over` which
    threshold was passed. A `test` tells of nothing that happened.
    """

    event: Event
    run: str
    host: str
    at: float
    figures: Figures
    why: Why | None = None
    lasted: float | None = None
    over: Money | str | None = None
    simulated: bool = False
    test: bool = False

    @property
    def state(self) -> str:
        """One of the words of `batcher status`: running, finished, stopped."""
        if self.event is Event.FINISH:
            return "finished"
        if self.event is Event.FAILURE:
            over = self.why is not None and self.why.cause is Cause.TOO_MANY_ERRORS
            return "finished" if over else "stopped"
        return "running"
