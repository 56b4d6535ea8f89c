"""How many calls may be in flight: what every limit is told and asked; the user's own number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

# From here on it was the limit, and nothing else, that kept more calls from being in flight.
_SATURATED = 0.9


class Grant(NamedTuple):
    """A call that may be made: its number, and how many of how many are in flight with it."""

    number: int
    in_flight: int
    limit: int

    @property
    def saturated(self) -> bool:
        """Whether the limit was what kept more calls from being in flight."""
        return self.in_flight >= self.limit * _SATURATED


class Limit(Protocol):
    """How many calls may be in flight; told how each of them ended."""

    @property
    def limit(self) -> int:
        """Calls that may be in flight now, at least 1."""

    @property
    def interval(self) -> float:
        """Seconds between two calls, where even one at a time is too many; else 0."""

    def grant(self, in_flight: int) -> Grant:
        """Let a call go, which `in_flight` counts already."""

    def completed(self, grant: Grant, seconds: float, tokens: int) -> None:
        """Hear of an answer of `tokens`, `seconds` after its call began."""

    def refused(self, grant: Grant) -> None:
        """Hear of a throttle: there were too many calls."""

    def lost(self, grant: Grant) -> None:
        """Hear of a call that was sent and not answered in time."""

    def restart(self) -> None:
        """Begin anew after an outage, at a quarter of what was good."""


@dataclass(frozen=True, slots=True)
class FixedLimit:
    """The user's own number, whatever happens."""

    limit: int
    interval: float = 0.0

    def grant(self, in_flight: int) -> Grant:
        """See `Limit`."""
        return Grant(0, in_flight, self.limit)

    def completed(self, grant: Grant, seconds: float, tokens: int) -> None:
        """See `Limit`."""

    def refused(self, grant: Grant) -> None:
        """See `Limit`."""

    def lost(self, grant: Grant) -> None:
        """See `Limit`."""

    def restart(self) -> None:
        """See `Limit`."""
