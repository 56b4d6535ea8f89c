"""A rate that is kept: so many requests, or tokens, a minute.

A token bucket. It holds half a second's worth (at least one), and fills at 99 % of the rate: so
that no window of 60 s sees more than the rate, wherever it begins, at a loss of 1 %.
"""

from __future__ import annotations

from dataclasses import dataclass

from batcher.limits import RateLimit

_FILLING = 0.99
_BURST_S = 0.5
# A limit a minute is whole again within a minute; what takes longer is one of a day, and is not
# paced but waited for.
_MINUTE_S = 90.0


@dataclass(slots=True)
class Budget:
    """Paces what is taken to `per_minute`. An amount above the bucket's size is taken on credit.

    With `per_minute` None it lets all through, until a provider names a limit. The user's own
    limit (`given`) is never exceeded, whatever the provider says. Moments are monotonic.
    """

    given: float | None = None
    per_minute: float | None = None
    _level: float = 0.0
    _at: float = 0.0

    def __post_init__(self) -> None:
        """Begin with a full bucket."""
        self.per_minute = self.given
        self._level = self._size

    @property
    def _size(self) -> float:
        return max(1.0, (self.per_minute or 0.0) / 60 * _BURST_S)

    @property
    def _per_second(self) -> float:
        return (self.per_minute or 0.0) / 60 * _FILLING

    def wait(self, now: float) -> float:
        """Return the seconds until something may be taken."""
        if self.per_minute is None:
            return 0.0
        self._fill(now)
        # At least one whole: half a request cannot be made.
        missing = 1.0 - self._level
        return max(0.0, missing / self._per_second)

    def take(self, now: float, amount: float) -> None:
        """Take `amount`; a negative one gives back what was taken and not used."""
        if self.per_minute is not None:
            self._fill(now)
            self._level = min(self._level - amount, self._size)

    def learn(self, limit: RateLimit, now: float) -> float:
        """Keep to what a provider says; return the seconds to wait for a limit that is used up."""
        if limit.reset_s is not None and limit.reset_s > _MINUTE_S:
            return limit.reset_s if limit.remaining <= 0 else 0.0
        if limit.limit <= 0:
            return 0.0
        per_minute = limit.limit if self.given is None else min(limit.limit, self.given)
        if per_minute != self.per_minute:
            self._fill(now)
            self.per_minute = per_minute
            self._at = now
            self._level = min(self._level, self._size)
        self._level = min(self._level, float(limit.remaining))
        return 0.0

    def _fill(self, now: float) -> None:
        self._level = min(self._size, self._level + (now - self._at) * self._per_second)
        self._at = now
