"""Random kills: `make torture SEEDS=500` kills runs at 500 random moments, and asks the oracle.

Each chain is one run, killed and started again until it finishes. A moment is drawn from the
length of an undisturbed run, its start and its export included. With the same FAULT_SEED the same
moments are drawn; what the process is doing then is up to the machine.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

from tests.faults.case import FINISHED, case
from tests.faults.children import Parent
from tests.faults.children import parent as open_parent

ROWS, CONCURRENCY, LATENCY_S = 60, 4, 0.03
# Of chains without end: each run comes further than the one before only by chance.
LONGEST = 40


@dataclass(frozen=True, slots=True)
class Chain:
    """What became of one run: how often it was killed, and what the oracle said."""

    name: str
    kills: int
    complaints: tuple[str, ...]


def undisturbed_s(parent: Parent, folder: Path) -> float:
    """Return the length of a run that nobody disturbs, in seconds."""
    with case(parent, folder, rows=ROWS, concurrency=CONCURRENCY, latency=LATENCY_S) as run:
        since = time.monotonic()
        run.start().wait()
        return time.monotonic() - since


def chain(parent: Parent, folder: Path, name: str, length_s: float) -> Chain:
    """Kill one run at random moments, drawn by `name`, until it finishes."""
    chance = random.Random(name)  # noqa: S311 -- no secret
    kills = 0
    with case(parent, folder, rows=ROWS, concurrency=CONCURRENCY, latency=LATENCY_S) as run:
        for _ in range(LONGEST):
            child = run.start()
            time.sleep(chance.uniform(0, length_s))
            child.kill()
            code = run.ended(child)
            kills += code < 0
            if code == FINISHED:
                break
        run.finish()
    return Chain(name, kills, tuple(run.complaints))


def chains(parent: Parent, folder: Path, seed: str) -> Iterator[Chain]:
    """Yield chains without end."""
    length_s = undisturbed_s(parent, _made(folder / "undisturbed"))
    for number in itertools.count():
        place = _made(folder / str(number))
        yield chain(parent, place, f"{seed}/{number}", length_s)
        shutil.rmtree(place)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _work(seed: str, kills: int, found: Queue[Chain]) -> None:
    """Put chains into `found` until they have had so many kills."""
    with open_parent() as parent, tempfile.TemporaryDirectory() as folder:
        for done in chains(parent, Path(folder), seed):
            found.put(done)
            kills -= done.kills
            if kills <= 0:
                break


def torture(kills: int, seed: int, workers: int) -> int:
    """Kill so many times, in so many chains at once; return the number of complaints."""
    found: Queue[Chain] = Queue()
    done = violations = runs = 0
    since = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        share = -(-kills // workers)
        working = [pool.submit(_work, f"{seed}/{n}", share, found) for n in range(workers)]
        while not (found.empty() and all(work.done() for work in working)):
            with contextlib.suppress(Empty):
                one = found.get(timeout=1)
                done, runs, violations = (
                    done + one.kills,
                    runs + 1,
                    violations + len(one.complaints),
                )
                for complaint in one.complaints:
                    print(f"\n{one.name}: {complaint}")
            passed = f"{time.monotonic() - since:.0f} s"
            print(f"\r{done} of {kills} kills, {violations} oracle violations, {passed}", end="")
            sys.stdout.flush()
        for work in working:
            work.result()
    print(f"\n{violations} oracle violations in {done} kills of {runs} runs (FAULT_SEED={seed})")
    return violations


if __name__ == "__main__":
    chosen = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(2**32))
    print(f"FAULT_SEED={chosen}")
    sys.exit(1 if torture(int(sys.argv[1]), chosen, os.cpu_count() or 1) else 0)
