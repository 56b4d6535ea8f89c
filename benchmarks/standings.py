"""The tables and ratios of rows a second, from what was measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from benchmarks.contenders.roster import AIOHTTP, BATCHER, HTTPX, PEERS, Contender
from benchmarks.entries import Case, Entry, Result
from benchmarks.ratios import Ratio, Unit, aligned, at_least

_HEADER = (
    *("contender", "rows", "rows/s", "min .. max", "with start", "of aiohttp", "CPU ms/row"),
    *("peak MB", "answered", "calls lost", "server busy", "does"),
)
Figures = Callable[[Entry], Sequence[float]]


def lines(result: Result) -> Iterator[str]:
    """Yield a case's table: medians of the rounds, and the spread of the rows a second."""
    yield result.case.name
    rows = [_HEADER, *(_cells(entry, result) for entry in result.entries)]
    yield from (f"  {line}" for line in aligned(rows))


def _cells(entry: Entry, result: Result) -> tuple[str, ...]:
    name, runs, rates = entry.contender.name, entry.runs, entry.rates
    if not rates:
        return name, *["-"] * (len(_HEADER) - 2), entry.failed
    asked, answered = sum(run.rows for run in runs), sum(run.answered for run in runs)
    of_aiohttp = times(entry, result.entry(AIOHTTP))
    return (
        name,
        f"{median(run.rows for run in runs):,.0f}",
        f"{median(rates):,.0f}",
        f"{min(rates):,.0f} .. {max(rates):,.0f}",
        f"{median(entry.whole_rates):,.0f}",
        f"{median(of_aiohttp):.2f}" if of_aiohttp else "-",
        f"{median(entry.cpu_ms):.3f}",
        f"{median(run.cost.peak_mb for run in runs):,.0f}",
        f"{answered / asked:.1%}",
        f"{sum(run.lost for run in runs):,}",
        f"{median(run.server_busy for run in runs):.0%}",
        "; ".join(filter(None, (entry.contender.does, entry.failed))),
    )


def times(
    one: Entry, other: Entry, figures: Figures = lambda entry: entry.rates
) -> tuple[float, ...]:
    """Return how many times the other's figure one has, in each round that both ended."""
    return tuple(a / b for a, b in zip(figures(one), figures(other), strict=False))


def ratios(results: Sequence[Result]) -> Iterator[Ratio]:
    """Yield those of performance.md's ratios that are of rows a second.

    The start-up is no part of them: they compare what a row costs.
    """
    wide, narrow = _case(results, 512), _case(results, 256)
    yield _ratio("a bare aiohttp loop", 0.5, wide, AIOHTTP)
    yield _ratio("a bare httpx 0.28 loop", 10, narrow, HTTPX)
    yield _ratio("the fastest whole tool", 5, narrow, _fastest(narrow))


def _case(results: Sequence[Result], in_flight: int) -> Result:
    """Return the 50 ms case with so many in flight."""
    asked = (50, in_flight)
    found = (one for one in results if (one.case.latency_ms, one.case.in_flight) == asked)
    return next(found, Result(Case(*asked, ()), ()))


def _fastest(result: Result) -> Contender:
    return max(PEERS, key=lambda peer: median(result.entry(peer).rates or [0.0]))


def _ratio(what: str, bound: float, result: Result, other: Contender) -> Ratio:
    ours, theirs = result.entry(BATCHER), result.entry(other)
    values = times(ours, theirs)
    note = f"{other.name}; {_otherwise(ours, theirs)}" if values else theirs.failed
    return Ratio(f"batcher / {what}, {result.case.name}", at_least(bound, Unit.TIMES), values, note)


def _otherwise(ours: Entry, theirs: Entry) -> str:
    """Tell the ratio of whole processes, and of the CPU time, steadier on a busy machine."""
    whole = median(times(ours, theirs, lambda entry: entry.whole_rates))
    cpu = median(times(theirs, ours, lambda entry: entry.cpu_ms))
    return f"with start {whole:.2f}x; by CPU {cpu:.2f}x"
