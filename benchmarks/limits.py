"""`batcher run` without any flags beside a naive loop, where servers have limits and troubles.

    make bench-limits                       # about 12 minutes
    python benchmarks/limits.py --quick     # under 3: to see that it works, not for the ratios

Each client goes through all scenarios at its own pace, both at the same time, so that what else the
machine does troubles both. In each scenario a client is a process, and calls a simulator of its
own, in another process, over a real socket. The naive loop is a fixed pool of 64 with the retries
of a well-known SDK (benchmarks/naive.py).

How to read the table, where a scenario has a line for each client:

    ideal    seconds that whoever knew the server's limits would need (computed)
    seconds  of the client's process, with its start and its export; and the ratio to the ideal,
             which says little for a client that gave rows up
    calls    that reached the server
    wasted   of them: those that brought no answer, or a second one for a row
    429      share of all calls that were refused as too many, and the share after the ramp-up
    ramp-up  seconds until the server was full for the first time and what was too much was
             refused; - where it never was, or where there is a rate instead of places
    used     share of the server's places (or rate) in use after the ramp-up, without the last 5 %.
             After an outage this includes the time until the client knows that it is over. A
             minute's worth of its rate the simulator hands out on top, at its start: whoever takes
             it uses more than 100 %
    slower   how many times longer answers took than on an idle server: what waits in a queue, and
             what a busy machine adds
    dead     rows without an answer in the client's output

All but the ideal is measured: from the servers' ledgers and the clients' outputs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow.parquet as pq

from batcher.simulator import SimulatorConfig, read_ledger, serve
from benchmarks.figures import Figures, figures
from benchmarks.naive import ANSWERS, PROMPTS
from benchmarks.scenarios import MODEL, Scenario, scenarios

# Of `batcher run`: done, and done with rows that ended in errors (docs/errors.md).
_ENDED_WELL = frozenset({0, 65})
# Far more than any scenario takes: only a client that hangs meets it.
_PATIENCE_S = 1800
_HEADER = (
    f"{'scenario':<19}{'rows':>7}{'ideal':>7}  {'client':<8}{'seconds':>8}{'ratio':>7}{'calls':>8}"
    f"{'wasted':>8}{'429':>7}{'later':>7}{'ramp-up':>9}{'used':>8}{'slower':>8}{'dead':>8}"
)


@dataclass(frozen=True, slots=True)
class Client:
    """A program that is to answer `prompts.jsonl` in a folder, and how to count its answers."""

    name: str
    command: tuple[str, ...]
    answered: Callable[[Path], int]


def _results(folder: Path) -> int:
    file = folder / PROMPTS.with_suffix(".batch") / "results.parquet"
    return pq.read_metadata(file).num_rows if file.exists() else 0


def _lines(folder: Path) -> int:
    return (folder / ANSWERS).read_bytes().count(b"\n")


NAIVE = Client("naive", ("-m", "benchmarks.naive"), _lines)
BATCHER = Client("batcher", ("-m", "batcher", "run", str(PROMPTS), "--model", MODEL), _results)
CLIENTS = (NAIVE, BATCHER)


def _serve(config: SimulatorConfig, ready: Connection) -> None:
    async def listen() -> None:
        async with serve(config) as simulator:
            ready.send((simulator.base_url, time.time()))
            await asyncio.Event().wait()

    asyncio.run(listen())


@contextmanager
def serving(config: SimulatorConfig) -> Iterator[tuple[str, float]]:
    """Run a simulator in a process of its own; give its address, and when it started (Unix)."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    server = spawn.Process(target=_serve, args=(config, there), daemon=True)
    server.start()
    there.close()
    try:
        yield here.recv()
    finally:
        server.terminate()
        server.join()


def measure(scenario: Scenario, client: Client) -> Figures:
    """Let a client work through a scenario.

    Raises:
        RuntimeError: it ended in a way that no scenario should lead to.
    """
    with tempfile.TemporaryDirectory() as place:
        folder, ledger = Path(place), Path(place) / "ledger.jsonl"
        rows = ({"id": f"r{n}", "prompt": text} for n, text in enumerate(scenario.prompts))
        (folder / PROMPTS).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        with serving(replace(scenario.config, ledger=ledger)) as (base_url, began):
            keys = ",".join(scenario.credentials)
            since = time.monotonic()
            ended = subprocess.run(  # noqa: S603 -- our own commands
                [sys.executable, *client.command],
                cwd=folder,
                env={**os.environ, "ZHIPUAI_BASE_URL": base_url, "ZHIPUAI_API_KEYS": keys},
                capture_output=True,
                text=True,
                timeout=_PATIENCE_S,
                check=False,
            )
            seconds = time.monotonic() - since
        if ended.returncode not in _ENDED_WELL:
            raise RuntimeError(f"{client.name} ended with {ended.returncode}:\n{ended.stderr}")
        return figures(scenario, read_ledger(ledger), began, seconds, client.answered(folder))


def line(client: Client, ideal_s: float, found: Figures) -> str:
    """Write the part of the table that belongs to a client."""
    ramp_up = "-" if found.ramp_up_s is None else f"{found.ramp_up_s:.1f}"
    return (
        f"  {client.name:<8}{found.seconds:>8.1f}{found.seconds / ideal_s:>7.2f}{found.calls:>8,}"
        f"{found.wasted:>8,}{found.refused:>7.1%}{found.refused_later:>7.1%}{ramp_up:>9}"
        f"{found.use:>8.1%}{found.slowdown:>8.2f}{found.dead:>8,}"
    )


def table(chosen: tuple[Scenario, ...]) -> Iterator[str]:
    """Yield the lines of the table as they are measured."""
    yield _HEADER
    lanes = [ThreadPoolExecutor(1) for _ in CLIENTS]
    try:
        measured = [
            lane.map(measure, chosen, repeat(client))
            for lane, client in zip(lanes, CLIENTS, strict=True)
        ]
        for scenario, *found in zip(chosen, *measured, strict=True):
            head = f"{scenario.name:<19}{scenario.rows:>7,}{scenario.ideal_s:>7.1f}"
            for client, one in zip(CLIENTS, found, strict=True):
                yield head + line(client, scenario.ideal_s, one)
                head = " " * len(head)
    finally:
        for lane in lanes:
            lane.shutdown(cancel_futures=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few rows, short troubles")
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios whose name has TEXT")
    asked = parser.parse_args()
    chosen = tuple(s for s in scenarios(quick=asked.quick) if asked.only in s.name)
    for text in table(chosen):
        print(text, flush=True)
    busy, cores = os.getloadavg()[1], os.cpu_count() or 1
    print(f"\nload of the last 5 minutes: {busy:.1f} on {cores} cores")


if __name__ == "__main__":
    main()
