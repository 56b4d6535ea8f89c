"""When there is something to tell while calls are made; pure, and the same few steps each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from batcher.observe.alerts.alert import Event

# Fewer rows say nothing of a rate; as for the ceiling `max_error_rate`.
RATED_ROWS = 100


class Seen(NamedTuple):
    """Whether no call can be made; the rows of this process; what the run cost, in nanos."""

    waiting: bool
    rows: int
    errors: int
    cost: int


class Sighting(NamedTuple):
    """Something to tell: how long it lasted in seconds, or which cost (in nanos) was passed."""

    event: Event
    lasted: float | None = None
    cost: int | None = None


@dataclass(slots=True)
class Rules:
    """Says of each thing once that it is to be told; of outages at their beginning and their end.

    No call for more than `outage_after` seconds is one. `error_rate` is a share from 0 to 1.
    `costs` are in nanos; those below `spent`, what earlier processes did, are no news.
    """

    outage_after: float
    error_rate: Fraction | None = None
    costs: Sequence[int] = ()
    spent: int = 0
    _since: float | None = None
    _outage: bool = False
    _rated: bool = False
    _ahead: list[int] = field(init=False)

    def __post_init__(self) -> None:
        """Find the costs that are still ahead; the nearest last."""
        self._ahead = sorted((cost for cost in self.costs if cost >= self.spent), reverse=True)

    def look(self, now: float, seen: Seen) -> Iterator[Sighting]:
        """Yield what is to be told `now` (monotonic)."""
        yield from self._waited(now, waiting=seen.waiting)
        if (
            self.error_rate is not None
            and not self._rated
            and seen.rows >= RATED_ROWS
            and seen.errors > self.error_rate * seen.rows
        ):
            self._rated = True
            yield Sighting(Event.ERROR_RATE)
        passed = None
        while self._ahead and seen.cost > self._ahead[-1]:
            passed = self._ahead.pop()
        if passed is not None:
            yield Sighting(Event.COST, cost=passed)

    def _waited(self, now: float, *, waiting: bool) -> Iterator[Sighting]:
        if not waiting:
            if self._outage and self._since is not None:
                yield Sighting(Event.RECOVERED, lasted=now - self._since)
            self._since, self._outage = None, False
            return
        if self._since is None:
            self._since = now
        lasted = now - self._since
        if not self._outage and lasted > self.outage_after:
            self._outage = True
            yield Sighting(Event.OUTAGE, lasted=lasted)
