"""Ceilings for money and tokens: each call's worst case is reserved before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

# How far beyond what is reserved is put down in advance, so that not each call needs a write.
_AHEAD_CALLS = 16
_AHEAD_SHARE = 0.02

Authorize = Callable[[int], None]


@dataclass(slots=True)
class Ceiling:
    """At most `most` is spent, earlier processes' `spent` included.

    Before any reservation goes beyond what was `authorize`d, a new amount is: whoever writes it
    down for good knows after a kill what may have been spent and was not recorded.
    """

    name: str
    most: int
    spent: int
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
        self.reserved += amount
        needed = self.spent + self.reserved
        if needed > self._authorized:
            ahead = max(_AHEAD_CALLS * amount, int(self.most * _AHEAD_SHARE))
            self._authorized = min(self.most, needed + ahead)
            self.authorize(self._authorized)

    def settle(self, reserved: int, spent: int) -> None:
        """Give back what of a reservation was not spent."""
        self.reserved -= reserved
        self.spent += spent

    def close(self) -> None:
        """Put down what was spent in the end, when no call is in flight any more."""
        if self._authorized != self.spent:
            self.authorize(self.spent)
