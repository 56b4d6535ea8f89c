"""Run `batcher run` beside bare loops and other tools, against a server that keeps up with all.

Everyone works on one core, the server on the other. In each round of a case all contenders run one
after the other, and the next round goes the other way round: what else the machine does troubles
all alike.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.contenders.roster import (
    AIOHTTP,
    BATCHER,
    CURATOR,
    HTTPX,
    HTTPX2,
    OPENAI,
    PEERS,
    PROMPTS,
    Contender,
)
from benchmarks.entries import Case, Entry, Measured, Result
from benchmarks.environments import NotInstalledError
from benchmarks.load_server import LoadServer, serving
from benchmarks.process import CommandError, cores, run_well

_QUESTION = (
    "Classify the sentiment of this review as positive, negative or neutral. Answer with the "
    "label only.\n\nReview {}: Sturdy backpack, fits a 15 inch laptop plus gym clothes. Zippers "
    "are stiff at first but loosen up after a week. The straps are wide, and the seams still hold "
    "after two months of daily use."
)
_STARTS = 2
# Many times what a round takes: only who hangs meets it.
_PATIENCE_S = 180.0
# Calls so many rows of a prompt file, so many at once, at a server of that latency.
Attempt = Callable[[Contender, int, int, int], Measured]

WIDE = Case(50, 512, (AIOHTTP, BATCHER))


def cases(*, quick: bool) -> tuple[Case, ...]:
    """Return what is measured: where the ratios are taken, and in full the whole field."""
    peers = (CURATOR,) if quick else (OPENAI, *PEERS)
    narrow = Case(50, 256, (AIOHTTP, BATCHER, HTTPX, *peers), rounds=1 if quick else None)
    if quick:
        return WIDE, narrow

    def case(latency_ms: int, in_flight: int) -> Case:
        # httpx2's cost of a call grows with the calls in flight: 2,000 would take it minutes.
        more = (HTTPX2,) if in_flight <= WIDE.in_flight else ()
        return Case(latency_ms, in_flight, (*WIDE.contenders, *more))

    field = (case(latency_ms, many) for latency_ms in (50, 0, 500) for many in (512, 64, 2000))
    return narrow, *field


def write_prompts(file: Path, rows: int) -> None:
    """Write so many prompts of some 300 characters."""
    with file.open("w", encoding="utf-8") as lines:
        for n in range(rows):
            lines.write(json.dumps({"id": f"r{n:07}", "prompt": _QUESTION.format(n)}) + "\n")


def client_core() -> int | None:
    """Return the core of the clients; None where there is only one, for all."""
    return cores()[0] if len(cores()) > 1 else None


def server_core() -> int | None:
    """Return the core of the server, another one."""
    return cores()[1] if len(cores()) > 1 else None


def measure(
    contender: Contender, rows: int, server: LoadServer, in_flight: int, place: Path
) -> Measured:
    """Run a contender in a new folder below `place`.

    Raises:
        CommandError: it failed.
    """
    folder = place / "contender"
    folder.mkdir()
    try:
        write_prompts(folder / PROMPTS, rows)
        before = server.stats()
        ended = run_well(
            contender.command(server.base_url, in_flight),
            folder=folder,
            variables=contender.surroundings(),
            core=client_core(),
            patience_s=_PATIENCE_S,
        )
        after = server.stats()
        used, calls = after.cpu_s - before.cpu_s, after.calls - before.calls
        return Measured(rows, contender.answered(folder, ended), calls, used, ended.cost)
    finally:
        shutil.rmtree(folder)


def compare(chosen: Sequence[Case], rounds: int, seconds: float, place: Path) -> Iterator[Result]:
    """Yield case by case what was measured.

    Args:
        chosen: The cases.
        rounds: How often each contender runs in each of them that does not say otherwise.
        seconds: About how long it is kept busy each time.
        place: A folder on the disk that checkpoints are to be synced to.
    """
    with ExitStack() as stack:
        latencies = sorted({0, *(case.latency_ms for case in chosen)})
        servers = {ms: stack.enter_context(serving(ms, server_core())) for ms in latencies}

        def attempt(contender: Contender, rows: int, latency_ms: int, in_flight: int) -> Measured:
            return measure(contender, rows, servers[latency_ms], in_flight, place)

        everyone = dict.fromkeys(contender for case in chosen for contender in case.contenders)
        started = {contender: start(contender, attempt) for contender in everyone}
        for case in chosen:
            entries = [started[contender] for contender in case.contenders]
            yield Result(case, play(case, entries, case.rounds or rounds, seconds, attempt))


def start(contender: Contender, attempt: Attempt) -> Entry:
    """Install a contender, and let it call for one row a few times: the first compiles it."""
    try:
        if contender.environment:
            contender.environment.install()
        runs = [attempt(contender, 1, 0, 1) for _ in range(_STARTS)]
        return Entry(contender, min(runs, key=lambda run: run.cost.wall_s))
    except (NotInstalledError, CommandError) as error:
        return Entry(contender, failed=_last_line(error))


def play(
    case: Case, entries: Sequence[Entry], rounds: int, seconds: float, attempt: Attempt
) -> tuple[Entry, ...]:
    """Let everyone run in each round, there and back; who fails is out."""
    entries = list(entries)
    order = list(range(len(entries)))
    for _ in range(rounds):
        for place in order:
            entry = entries[place]
            if not entry.failed:
                rate = entry.rates[-1] if entry.runs else entry.contender.guess
                entries[place] = _one_more(entry, case, case.rows(rate, seconds), attempt)
        order.reverse()
    return tuple(entries)


def _one_more(entry: Entry, case: Case, rows: int, attempt: Attempt) -> Entry:
    try:
        run = attempt(entry.contender, rows, case.latency_ms, case.in_flight)
    except CommandError as error:
        return replace(entry, failed=_last_line(error))
    return replace(entry, runs=(*entry.runs, run))


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
