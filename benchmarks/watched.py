"""Run the `batcher` command, and tell how long its event loop was away from its sockets.

    python benchmarks/watched.py REPORT run prompts.jsonl ...

The loop is watched at its selector, an argument of its: what passes between two looks at the
sockets is time in which no answer is taken in. A second thread looks, while that takes long, at
what the loop is doing. Nothing of the product is replaced.
"""

from __future__ import annotations

import asyncio
import json
import resource
import selectors
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path, PurePath
from types import FrameType

from batcher.cli import main

# Shorter turns are not looked into.
_LONG_S = 0.01
_LOOK_S = 0.002
_FRAMES = 12


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the loop: all that was ready, done between two looks at the sockets.

    Attributes:
        wall_s: How long it took.
        cpu_s: CPU seconds of the loop's thread in it; the rest it waited: for a disk, for the
            interpreter's lock, or for a core that others had.
        doing: What it was seen doing, the most frequent first, with how often it was seen.
    """

    wall_s: float
    cpu_s: float
    doing: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What the watch saw.

    Attributes:
        turns: How many turns the loop made.
        longest: The longest of them.
        busiest: The one that took most CPU.
        usual_s: The 99.9th percentile of their lengths.
        peak_mb: Largest resident memory of the process, in MiB.
        cpu_s: CPU seconds of the process, user and system.
    """

    turns: int
    longest: Turn
    busiest: Turn
    usual_s: float
    peak_mb: float
    cpu_s: float


class Watch:
    """Takes the time of each turn of the loop that runs in this thread.

    `seen` is what a long turn was seen doing, and how often.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._since: float | None = None
        self._cpu = 0.0
        self._walls: list[float] = []
        self._longest = self._busiest = Turn(0.0, 0.0, ())
        self.seen = Counter[str]()
        self._over = threading.Event()

    def begin(self) -> None:
        """Begin a turn."""
        self._cpu = time.thread_time()
        self._since = time.perf_counter()

    def end(self) -> None:
        """End the turn, if one has begun."""
        if self._since is None:
            return
        wall_s = time.perf_counter() - self._since
        cpu_s = time.thread_time() - self._cpu
        self._since = None
        self._walls.append(wall_s)
        if wall_s > self._longest.wall_s or cpu_s > self._busiest.cpu_s:
            turn = Turn(wall_s, cpu_s, tuple(self.seen.most_common(3)))
            self._longest = max(self._longest, turn, key=lambda turn: turn.wall_s)
            self._busiest = max(self._busiest, turn, key=lambda turn: turn.cpu_s)
        if self.seen:
            self.seen = Counter()

    def look(self) -> None:
        """Look at long turns until `report`."""
        while not self._over.wait(_LOOK_S):
            since = self._since
            if since is not None and time.perf_counter() - since > _LONG_S:
                # The interpreter's own door to other threads' frames, documented in `sys`.
                frame = sys._current_frames().get(self._thread)  # noqa: SLF001 -- no other door
                self.seen[_place(frame)] += 1

    def report(self) -> Report:
        """Stop looking, and tell what was seen."""
        self._over.set()
        walls = sorted(self._walls)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Report(
            turns=len(walls),
            longest=self._longest,
            busiest=self._busiest,
            usual_s=walls[int(len(walls) * 0.999)] if walls else 0.0,
            peak_mb=usage.ru_maxrss / 1024,
            cpu_s=usage.ru_utime + usage.ru_stime,
        )


def _place(frame: FrameType | None) -> str:
    """Say where a thread is: its innermost frame, and the innermost of ours that led there."""
    stack = list(islice(_outward(frame), _FRAMES))
    ours = next((name for name in stack if name.startswith("batcher/")), "")
    return " < ".join(dict.fromkeys(name for name in (*stack[:1], ours) if name))


def _outward(frame: FrameType | None) -> Iterator[str]:
    """Yield what each frame is in, the innermost first: the end of its file's path, its name."""
    while frame is not None:
        path = PurePath(frame.f_code.co_filename)
        package = "batcher/" if "batcher" in path.parent.parts else ""
        yield f"{package}{'/'.join(path.parts[-2:])}:{frame.f_code.co_name}"
        frame = frame.f_back


class _Selector(selectors.DefaultSelector):
    """Tells a watch when the loop looks at its sockets, and when it is done with that."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for what is ready."""
        self._watch.end()
        try:
            return super().select(timeout)
        finally:
            # Its own wake-up pipe is always there. Without connections nobody waits for it.
            if len(self.get_map()) > 1:
                self._watch.begin()


def loop_of(watch: Watch) -> asyncio.AbstractEventLoop:
    """Return a loop that is watched."""
    return asyncio.SelectorEventLoop(_Selector(watch))


class _Policy(asyncio.DefaultEventLoopPolicy):
    """Makes loops that are watched."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a loop that is watched."""
        return loop_of(self._watch)


def _main() -> None:
    report = Path(sys.argv.pop(1))
    watch = Watch()
    threading.Thread(target=watch.look, daemon=True).start()
    asyncio.set_event_loop_policy(_Policy(watch))
    try:
        main()
    finally:
        report.write_text(json.dumps(asdict(watch.report())))


if __name__ == "__main__":
    _main()
