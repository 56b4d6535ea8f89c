"""What contenders made of the cases of a comparison: values, and the figures in them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.contenders.roster import Contender
from benchmarks.process import Cost

# Each of the calls in flight answers so many rows at least: with fewer, ends are all there is.
_WAVES = 2
# A start-up that seems to be more of a run than the rest was a slow one, on a busy machine.
_LEAST_WORK = 0.25


@dataclass(frozen=True, slots=True)
class Case:
    """A server, so many calls in flight, and who runs there.

    Attributes:
        rounds: How often, where it is not as often as in other cases, since somebody is slow.
    """

    latency_ms: int
    in_flight: int
    contenders: tuple[Contender, ...]
    rounds: int | None = None

    @property
    def name(self) -> str:
        """Name it in a line."""
        return f"{self.latency_ms} ms server, {self.in_flight:,} in flight"

    def rows(self, rate: float, seconds: float) -> int:
        """Return how many rows keep busy for so long whoever has such a rate, or less."""
        most = self.in_flight / self.latency_ms * 1000 if self.latency_ms else rate
        return max(round(min(rate, most) * seconds), self.in_flight * _WAVES)


@dataclass(frozen=True, slots=True)
class Measured:
    """A run of a contender.

    Attributes:
        rows: Rows of its prompt file.
        answered: Rows with an answer in its output.
        calls: Calls that reached the server.
        server_cpu_s: CPU seconds of the server meanwhile.
        cost: What the process cost.
    """

    rows: int
    answered: int
    calls: int
    server_cpu_s: float
    cost: Cost

    @property
    def lost(self) -> int:
        """Calls whose answer is not in the output; a second call for a row is one."""
        return self.calls - self.answered

    @property
    def whole_rate(self) -> float:
        """Answers a second of the whole process, with its start-up."""
        return self.answered / self.cost.wall_s

    @property
    def server_busy(self) -> float:
        """Share of its core that the server needed."""
        return self.server_cpu_s / self.cost.wall_s

    def rate(self, start: Measured) -> float:
        """Answers a second, beyond what a run of one row (`start`) takes."""
        wall_s = self.cost.wall_s
        seconds = max(wall_s - start.cost.wall_s, wall_s * _LEAST_WORK)
        return (self.answered - start.answered) / seconds

    def cpu_ms(self, start: Measured) -> float:
        """CPU milliseconds of a row, beyond what a run of one row takes."""
        cpu_s = max(self.cost.cpu_s - start.cost.cpu_s, self.cost.cpu_s * _LEAST_WORK)
        return cpu_s / max(self.rows - start.rows, 1) * 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender in a case.

    Attributes:
        start: Its quickest run of one row at a server without latency: start-up and end.
        runs: One a round, as far as it came.
        failed: Why it has no more of them.
    """

    contender: Contender
    start: Measured | None = None
    runs: tuple[Measured, ...] = ()
    failed: str = ""

    @property
    def rates(self) -> tuple[float, ...]:
        """Answers a second of each round, without the start-up."""
        return tuple(run.rate(self.start) for run in self.runs) if self.start else ()

    @property
    def whole_rates(self) -> tuple[float, ...]:
        """Answers a second of each round, with the start-up."""
        return tuple(run.whole_rate for run in self.runs)

    @property
    def cpu_ms(self) -> tuple[float, ...]:
        """CPU milliseconds a row of each round, without the start-up."""
        return tuple(run.cpu_ms(self.start) for run in self.runs) if self.start else ()


@dataclass(frozen=True, slots=True)
class Result:
    """A case with all its entries."""

    case: Case
    entries: tuple[Entry, ...]

    def entry(self, contender: Contender) -> Entry:
        """Return a contender's entry, an empty one where it did not take part."""
        mine = (entry for entry in self.entries if entry.contender == contender)
        return next(mine, Entry(contender))
