"""How fast calls are answered, as far as a number of them can tell; and what more of them gain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

# A sample is enough when its error is so small a share, roughly or not; or when it has so many
# round trips of calls. A round trip counts as so many calls at least.
ROUGH, FINE = 0.15, 0.02
MOST_ROUND_TRIPS = 12
LEAST_CALLS = 16


@dataclass(slots=True)
class Sample:
    """Calls measured together, without the first `skip`: those began in other circumstances."""

    skip: int = 0
    calls: int = 0
    _seconds: float = 0.0
    _tokens: float = 0.0
    _seconds_squared: float = 0.0
    _tokens_squared: float = 0.0
    _product: float = 0.0

    def add(self, seconds: float, tokens: int) -> None:
        """Count an answer of `tokens` that took `seconds`.

        Where a provider does not count tokens (0), answers are counted.
        """
        if self.skip > 0:
            self.skip -= 1
            return
        counted = tokens or 1
        self.calls += 1
        self._seconds += seconds
        self._tokens += counted
        self._seconds_squared += seconds * seconds
        self._tokens_squared += counted * counted
        self._product += seconds * counted

    @property
    def speed(self) -> float:
        """Tokens of one call a second in flight: whatever the lengths of the answers."""
        return self._tokens / max(self._seconds, 1e-9)

    @property
    def error(self) -> float:
        """The standard error of `speed`, as a share of it (that of a ratio of two sums)."""
        if not self.calls:
            return math.inf
        speed = self.speed
        squares = (
            self._tokens_squared - 2 * speed * self._product + speed * speed * self._seconds_squared
        )
        return math.sqrt(max(0.0, squares)) / self._tokens

    def tells(self, limit: int, *, roughly: bool) -> bool:
        """Whether it is enough, with up to `limit` calls at once; `roughly` for large effects."""
        round_trip = max(limit, LEAST_CALLS)
        if self.calls < round_trip:
            return False
        error = ROUGH if roughly else FINE
        return self.error <= error or self.calls >= MOST_ROUND_TRIPS * round_trip


class Point(NamedTuple):
    """Tokens a second with so many calls in flight."""

    limit: int
    rate: float

    def expected(self, limit: int) -> float:
        """Return the rate with `limit` calls: with fewer less in proportion, with more as much."""
        return self.rate * min(1.0, limit / self.limit)


def gain(base: Point, here: Point) -> float:
    """Return what growth gained, as the share of what it would have on an idle server."""
    more = here.limit / base.limit - 1
    return (here.rate / base.rate - 1) / more if more > 0 else 0.0
