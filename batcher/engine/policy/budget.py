"""A rate that is kept: so many requests, or tokens, a minute.

A token bucket. It holds half a second's worth (at least one), and fills at 99 % of the rate: so
that no window of 60 s sees more than the rate, wherever it begins, at a loss of 1 %. That is exact
for requests. A call's tokens are more than the bucket holds and are taken on credit, so that a
window may see those of its last call beyond the rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from batcher.limits import RateLimit

_FILLING = 0.99
_BURST_S = 0.5
# A limit a minute is whole again within a minute; what takes longer is one of a day, and is not
# paced but waited for.
_MINUTE_S = 90.0
# No limit that a header tells of takes longer than a day; what says so is garbage.
_DAY_S = 86_400.0
# A wait of less is none: the clock may not tell it, and then it would never be over.
_NO_WAIT_S = 1e-6


@dataclass(slots=True)
class Budget:
    """Paces what is taken to `per_minute`. An amount above the bucket's size is taken on credit.

    With `per_minute` None it lets all through, until a provider names a limit. The user's own
    limit (`given`) is never exceeded, whatever the provider says. No more than a minute's worth is
    owed, for what was taken before it is in no window any more: so a wait is never longer than it
    takes to make good a minute and one. Moments are monotonic.
    """

    given: float | None = None
    per_minute: float | None = field(init=False)
    _level: float = field(init=False)
    _at: float = field(default=0.0, init=False)

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
        wait = (1.0 - self._level) / self._per_second
        return wait if wait > _NO_WAIT_S else 0.0

    def take(self, now: float, amount: float) -> None:
        """Take `amount`; a negative one gives back what was taken and not used."""
        if self.per_minute is not None:
            self._fill(now)
            self._set(self._level - amount)

    def learn(self, limit: RateLimit, now: float) -> float:
        """Keep to what a provider says; return the seconds to wait for a limit that is used up."""
        if limit.limit <= 0:
            return 0.0
        if limit.reset_s is not None and limit.reset_s > _MINUTE_S:
            is_used_up = limit.remaining <= 0 and limit.reset_s <= _DAY_S
            return limit.reset_s if is_used_up else 0.0
        self._fill(now)
        self.per_minute = limit.limit if self.given is None else min(limit.limit, self.given)
        self._set(min(self._level, max(0, limit.remaining)))
        return 0.0

    def _fill(self, now: float) -> None:
        self._set(self._level + (now - self._at) * self._per_second)
        self._at = now

    def _set(self, level: float) -> None:
        self._level = max(-(self.per_minute or 0.0), min(level, self._size))
