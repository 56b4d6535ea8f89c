"""What `batcher run` makes of limits that nobody tells it, and of a rate that it must keep.

All scenarios run at once: they wait, and a core is enough for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from batcher.simulator import SimulatorConfig
from benchmarks.figures import Figures
from benchmarks.limits import BATCHER, Client, measure
from benchmarks.ratios import Ratio, Unit, at_least, at_most
from benchmarks.scenarios import Scenario

_RPM = 1200
_PACE = at_most(0.02, Unit.SHARE)
_REFUSED = at_most(0.01, Unit.SHARE)
_USED = at_least(0.95, Unit.SHARE)
_TOLD = replace(BATCHER, command=(*BATCHER.command, "--rpm", str(_RPM)))


@dataclass(frozen=True, slots=True)
class Trial:
    """A scenario, and who goes through it."""

    scenario: Scenario
    client: Client = BATCHER

    def run(self) -> Figures:
        """Measure it."""
        return measure(self.scenario, self.client)


def trials(*, quick: bool) -> tuple[Trial, ...]:
    """Return what is measured: some 20 s of each limit, in full at least a minute."""

    def limit(places: int, rows: int, latency_s: float = 0.3) -> Trial:
        config = SimulatorConfig(latency_s=latency_s, limits={"*": places})
        return Trial(Scenario(f"limit {places:,}", rows, config))

    def rate(name: str, client: Client, *, headers: bool, rows: int) -> Trial:
        config = SimulatorConfig(latency_s=0.5, limits={}, rpm=_RPM, rate_headers=headers)
        return Trial(Scenario(f"{_RPM:,} requests a minute, {name}", rows, config), client)

    size = 1 if quick else 5
    longer = () if quick else (limit(1000, 20_000, 4.0),)
    return (
        limit(5, 300 * size),
        limit(40, 2400 * size),
        *longer,
        # Whoever is told of the rate by headers takes a minute's worth at once, which the
        # simulator hands out on top: only the rows after those have to wait.
        rate("in headers", BATCHER, headers=True, rows=_RPM + 400 * size),
        rate("by --rpm", _TOLD, headers=False, rows=400 * size),
    )


def run(chosen: Sequence[Trial]) -> list[Figures]:
    """Measure all of them at once."""
    with ThreadPoolExecutor(len(chosen)) as pool:
        return list(pool.map(Trial.run, chosen))


def ratios(chosen: Sequence[Trial], found: Sequence[Figures]) -> Iterator[Ratio]:
    """Yield the ratios of each trial."""
    for trial, figures in zip(chosen, found, strict=True):
        scenario = trial.scenario
        rows = f"{scenario.rows:,} rows"
        if scenario.is_paced:
            values = () if figures.behind is None else (figures.behind,)
            yield Ratio(f"time above the ideal, {scenario.name}", _PACE, values, rows)
        else:
            refused = f"{rows}; {figures.refused_later:.2%} after the ramp-up"
            full = _ramp_up(figures.ramp_up_s)
            yield Ratio(f"calls refused, {scenario.name}", _REFUSED, (figures.refused,), refused)
            yield Ratio(f"share used, {scenario.name}", _USED, (figures.use,), full)


def _ramp_up(seconds: float | None) -> str:
    return "never full" if seconds is None else f"full after {seconds:.1f} s"
