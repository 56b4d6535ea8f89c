"""Ceilings for money and tokens: each call's worst case is reserved before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

# How far beyond what is reserved is put down in advance, so that not each call needs a write.
_AHEAD_CALLS = 16
_AHEAD_SHARE = 0.02

Authorize = Callable[[int], None]


class Bill(NamedTuple):
    """What a call costs, or may cost at worst: tokens, and nanos of the currency."""

    tokens: int
    cost: int


NOTHING = Bill(0, 0)


@dataclass(slots=True)
class Ceiling:
    """At most `most` is spent, earlier processes' `spent` included; `reached` says so to the user.

    Before any reservation goes beyond what was `authorize`d, a new amount is: whoever writes it
    down for good knows after a kill what may have been spent and was not recorded.
    """

    most: int
    spent: int
    reached: str
    authorize: Authorize
    reserved: int = 0
    _authorized: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin with what was spent before."""
        self._authorized = self.spent

    def allows(self, amount: int) -> bool:
        """Whether `amount` more can be reserved."""
        return self.spent + self.reserved + amount <= self.most

    def reserve(self, amount: int) -> None:
        """Reserve `amount`, which must be allowed."""
        ahead = max(_AHEAD_CALLS * amount, int(self.most * _AHEAD_SHARE))
        self._cover(self.spent + self.reserved + amount, ahead)
        self.reserved += amount

    def settle(self, reserved: int, spent: int) -> None:
        """Give back what of a reservation was not spent."""
        self.reserved -= reserved
        self.spent += spent
        # Only a bill above its worst case (the prices are wrong) is not covered already.
        self._cover(self.spent + self.reserved, ahead=0)

    def close(self) -> None:
        """Put down what was spent in the end, when no call is in flight any more."""
        if self._authorized != self.spent:
            self.authorize(self.spent)

    def _cover(self, needed: int, ahead: int) -> None:
        if needed > self._authorized:
            amount = max(needed, min(self.most, needed + ahead))
            self.authorize(amount)
            self._authorized = amount


@dataclass(frozen=True, slots=True)
class Spending:
    """The ceilings of a run, as far as the user set any."""

    cost: Ceiling | None = None
    tokens: Ceiling | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is any ceiling."""
        return self.cost is not None or self.tokens is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is reserved, so that waiting frees nothing."""
        return not any(ceiling.reserved for ceiling, _ in self._parts(NOTHING))

    def refuses(self, worst: Bill) -> Ceiling | None:
        """Return the ceiling that a call of this worst case might break."""
        parts = self._parts(worst)
        return next((ceiling for ceiling, amount in parts if not ceiling.allows(amount)), None)

    def reserve(self, worst: Bill) -> None:
        """Reserve a worst case that no ceiling refuses."""
        for ceiling, amount in self._parts(worst):
            ceiling.reserve(amount)

    def settle(self, worst: Bill, actual: Bill) -> None:
        """Replace a reservation by what was spent."""
        for (ceiling, reserved), (_, spent) in zip(
            self._parts(worst), self._parts(actual), strict=True
        ):
            ceiling.settle(reserved, spent)

    def close(self) -> None:
        """Put down what was spent, when no call is in flight any more."""
        for ceiling, _ in self._parts(NOTHING):
            ceiling.close()

    def _parts(self, bill: Bill) -> list[tuple[Ceiling, int]]:
        parts = ((self.cost, bill.cost), (self.tokens, bill.tokens))
        return [(ceiling, amount) for ceiling, amount in parts if ceiling is not None]
