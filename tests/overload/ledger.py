"""What a server saw, call by call, and the figures that follow from it. Times in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from batcher.errors import ErrorClass

Steps = Callable[[float], int]
FOREVER = float("inf")


def steps(first: int, *changes: tuple[float, int]) -> Steps:
    """Return a figure that is `first` from the start, and another from each moment named."""

    def at(now: float) -> int:
        return next((value for since, value in reversed(changes) if now >= since), first)

    return at


@dataclass(slots=True)
class Entry:
    """One call.

    Attributes:
        sent: When the client began it.
        unloaded: The seconds its answer takes when nothing else is served.
        arrived: When the server admitted it; None where it did not.
        left: When the server was done with it.
        ended: When the client knew how it ended.
        verdict: The problem it ended in; None for a completion.
    """

    row: int
    key: str
    sent: float
    tokens: int
    unloaded: float
    arrived: float | None = None
    left: float = FOREVER
    ended: float = FOREVER
    verdict: ErrorClass | None = None


@dataclass(slots=True)
class Ledger:
    """All calls, in the order in which they were sent."""

    entries: list[Entry] = field(default_factory=list)

    def sent(self, since: float = 0.0, until: float = FOREVER) -> Iterator[Entry]:
        """Yield the calls sent in that time."""
        return (entry for entry in self.entries if since <= entry.sent < until)

    def calls(self, since: float = 0.0, until: float = FOREVER) -> int:
        """Count the calls sent in that time."""
        return sum(1 for _ in self.sent(since, until))

    def share(self, verdict: ErrorClass, since: float = 0.0, until: float = FOREVER) -> float:
        """Return which part of the calls sent in that time ended so."""
        verdicts = [entry.verdict for entry in self.sent(since, until)]
        return verdicts.count(verdict) / len(verdicts) if verdicts else 0.0

    def completed(self, since: float = 0.0, until: float = FOREVER) -> list[Entry]:
        """Return the completions that ended in that time."""
        return [e for e in self.entries if e.verdict is None and since <= e.ended < until]

    def answered(self) -> set[int]:
        """Return the rows that have a completion."""
        return {entry.row for entry in self.completed()}

    def tokens_a_second(self, since: float, until: float) -> float:
        """Return the rate of tokens in the completions that ended in that time."""
        return sum(entry.tokens for entry in self.completed(since, until)) / (until - since)

    def in_flight(self, since: float, until: float) -> float:
        """Return how many calls the server had admitted and not answered, averaged over time."""
        seconds = sum(
            max(0.0, min(entry.left, until) - max(entry.arrived, since))
            for entry in self.entries
            if entry.arrived is not None
        )
        return seconds / (until - since)

    def slowdown(self, since: float = 0.0, until: float = FOREVER) -> float:
        """Return how many times longer completions took than from an unloaded server."""
        done = self.completed(since, until)
        return sum(e.ended - e.sent for e in done) / sum(e.unloaded for e in done)

    def attempts(self, row: int) -> int:
        """Count the calls for a row."""
        return sum(entry.row == row for entry in self.entries)
