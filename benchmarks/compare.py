"""Every ratio of performance, goal and reached side by side, on this machine.

    make bench          # the whole field: under 20 minutes
    make bench-quick    # where the ratios are taken: under 3 minutes

How to read the tables: docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import offline, pacing, stalls, standings, throughput
from benchmarks.contenders.roster import AIOHTTP
from benchmarks.entries import Case, Result
from benchmarks.environments import ROOT
from benchmarks.ratios import Ratio, table


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Attributes:
        rounds: How often each contender runs in each case.
        seconds: How long it is kept busy each time.
        rows: Rows of the parts that make no calls.
        stalls: The cases in which the event loop is watched.
    """

    quick: bool
    rounds: int
    seconds: float
    rows: int
    stalls: tuple[stalls.Case, ...]


QUICK = Scale(quick=True, rounds=3, seconds=2.0, rows=30_000, stalls=stalls.CASES[:1])
FULL = Scale(quick=False, rounds=3, seconds=4.0, rows=300_000, stalls=stalls.CASES)


def machine() -> Iterator[str]:
    """Yield what the figures belong to."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    yield f"{model}, {os.cpu_count()} cores; Linux {platform.release()}"
    yield f"Python {platform.python_version()}; load of the last minute {os.getloadavg()[0]:.1f}"
    client, server = throughput.client_core(), throughput.server_core()
    if client is None:
        yield "one core only: clients and server share it, and nothing is pinned"
    else:
        yield f"clients on core {client}, server on core {server}"


def ceiling(result: Result) -> str:
    """Tell how far the server is from being the bottleneck."""
    (entry,) = result.entries
    if not entry.runs:
        return f"server: no ceiling was measured, {entry.failed}"
    run, rate = entry.runs[0], entry.rates[0]
    cpu_us = run.server_cpu_s / run.calls * 1e6
    return (
        f"server: {cpu_us:.0f} CPU microseconds a call, so {1e6 / cpu_us:,.0f} calls a second on "
        f"one core; {entry.contender.name} got {rate:,.0f} out of it ({result.case.name})"
    )


def race(scale: Scale) -> Iterator[Ratio]:
    """Print the tables of rows a second; yield their ratios."""
    with _place() as place:
        for result in throughput.compare((Case(0, 64, (AIOHTTP,)),), 1, scale.seconds, place):
            print(ceiling(result), flush=True)
        results = []
        chosen = throughput.cases(quick=scale.quick)
        for result in throughput.compare(chosen, scale.rounds, scale.seconds, place):
            results.append(result)
            print("", *standings.lines(result), sep="\n", flush=True)
    yield from standings.ratios(results)


def pace(scale: Scale) -> Iterator[Ratio]:
    """Yield the ratios of limits and rates."""
    chosen = pacing.trials(quick=scale.quick)
    yield from pacing.ratios(chosen, pacing.run(chosen))


def watch(scale: Scale) -> Iterator[Ratio]:
    """Print how long the event loop stands still; yield the ratios of that and of large rows."""
    with _place() as place:
        seen = [stalls.measure(case, folder=place) for case in scale.stalls]
    print("", *stalls.lines(seen), sep="\n", flush=True)
    yield from stalls.ratios(seen)


def work(scale: Scale) -> Iterator[Ratio]:
    """Yield the ratios of what needs no call."""
    with _place() as place:
        # What so few rows take is no memory to speak of.
        yield from offline.rates(scale.rows, place, memory=not scale.quick)


@contextmanager
def _place() -> Iterator[Path]:
    """Make a folder for a while; not in /tmp, which may be memory: syncing to disk is work too."""
    (ROOT / ".bench").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".bench") as folder:
        yield Path(folder)


# One after the other, so that none disturbs another.
PARTS: tuple[Callable[[Scale], Iterator[Ratio]], ...] = (race, pace, watch, work)


def main() -> None:
    """Measure, and print the ratios at the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only where the ratios are taken")
    scale = QUICK if parser.parse_args().quick else FULL
    since = time.monotonic()
    print(*machine(), sep="\n", flush=True)
    ratios = [ratio for part in PARTS for ratio in part(scale)]
    print("", *table(ratios), sep="\n")
    load, minutes = os.getloadavg()[1], (time.monotonic() - since) / 60
    print(f"\n{minutes:.1f} minutes; load of the last 5 minutes {load:.1f}")


if __name__ == "__main__":
    main()
