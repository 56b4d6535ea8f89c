"""Ceilings for money and tokens: each call's worst case is reserved before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from batcher.errors import ErrorClass, Problem

# How far beyond what is reserved is put down in advance, so that not each call needs a write.
_AHEAD_CALLS = 32
_AHEAD_SHARE = 0.02


class Bill(NamedTuple):
    """What a call costs, or may cost at worst: tokens, and nanos of the currency."""

    tokens: int
    cost: int


NOTHING = Bill(0, 0)


class PutDown(Protocol):
    """An amount that is written down for good before it is used: `Ahead` in `batcher.engine`."""

    def covers(self, needed: int, ahead: int) -> bool:
        """Return whether `needed` is put down; see that `ahead` beyond it is before it is used."""

    async def end(self, amount: int) -> None:
        """Put down what it came to in the end."""


@dataclass(slots=True)
class Ceiling:
    """At most `most` is spent, earlier processes' `spent` included; `reached` says so to the user.

    What is reserved is `put_down` before, so that after a kill it is known what may have been
    spent and was not recorded.
    """

    most: int
    spent: int
    reached: str
    put_down: PutDown
    reserved: int = 0

    def allows(self, amount: int) -> bool:
        """Whether `amount` more can be reserved."""
        return self.spent + self.reserved + amount <= self.most

    def covers(self, amount: int) -> bool:
        """Whether `amount` more, which must be allowed, is put down, so that it can be reserved."""
        needed = self.spent + self.reserved + amount
        ahead = max(_AHEAD_CALLS * amount, int(self.most * _AHEAD_SHARE))
        return self.put_down.covers(needed, min(ahead, self.most - needed))

    def reserve(self, amount: int) -> None:
        """Reserve `amount`, which must be covered."""
        self.reserved += amount

    def settle(self, reserved: int, spent: int) -> None:
        """Give back what of a reservation was not spent."""
        self.reserved -= reserved
        self.spent += spent
        # Only a bill above its worst case (the prices are wrong) is not covered already.
        self.put_down.covers(self.spent + self.reserved, 0)

    async def close(self) -> None:
        """Put down what was spent in the end, when no call is in flight any more."""
        await self.put_down.end(self.spent)


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

    def covers(self, worst: Bill) -> bool:
        """Whether a worst case that no ceiling refuses is put down, so that it can be reserved."""
        covered = [ceiling.covers(amount) for ceiling, amount in self._parts(worst)]
        # All were asked before, so that one is not waited for after the other.
        return all(covered)

    def reserve(self, worst: Bill) -> None:
        """Reserve a worst case that is covered."""
        for ceiling, amount in self._parts(worst):
            ceiling.reserve(amount)

    def settle(self, worst: Bill, actual: Bill) -> None:
        """Replace a reservation by what was spent."""
        for (ceiling, reserved), (_, spent) in zip(
            self._parts(worst), self._parts(actual), strict=True
        ):
            ceiling.settle(reserved, spent)

    async def close(self) -> None:
        """Put down what was spent, when no call is in flight any more."""
        for ceiling, _ in self._parts(NOTHING):
            await ceiling.close()

    def _parts(self, bill: Bill) -> list[tuple[Ceiling, int]]:
        parts = ((self.cost, bill.cost), (self.tokens, bill.tokens))
        return [(ceiling, amount) for ceiling, amount in parts if ceiling is not None]


def unbounded(model: str, *, has_bound: bool) -> Problem:
    """Say why a row must not be called: no ceiling could be kept with it.

    Its worst case has no bound, or no price (`has_bound`).
    """
    what, keys = "price", "input, output, currency"
    if not has_bound:
        what, keys = "largest prompt and answer", "context, max_output"
    return Problem(
        ErrorClass.INVALID_ROW,
        f"no ceiling can be kept: the {what} of {model} is not known; write it into "
        f'the job under [prices."{model}"] ({keys})',
    )
