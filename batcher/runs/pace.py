"""How calls flow, gathered on the event loop for the thread that writes the checkpoint."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from batcher.errors import ErrorClass, Problem
from batcher.history import Beat
from batcher.limits import Flow


@dataclass(slots=True)
class Pace:
    """Counts attempts, and looks at the `flow` of calls now and then."""

    flow: Callable[[], Flow]
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    _failures: Counter[ErrorClass] = field(default_factory=Counter)
    _attempts: int = 0
    _last: float | None = None
    _beats: deque[Beat] = field(default_factory=deque)

    def attempted(self, problem: Problem | None) -> None:
        """Count an attempt that has ended, in `problem` if not well."""
        self._attempts += 1
        if problem is not None:
            self._failures[problem.error_class] += 1

    def look(self) -> None:
        """Make a beat of what happened since the last look."""
        now, flow = self.monotonic(), self.flow()
        since = 0.0 if self._last is None else now - self._last
        self._beats.append(
            Beat(
                second=int(self.clock()),
                attempts=self._attempts,
                failures=self._failures,
                in_flight=flow.in_flight,
                limit=flow.limit,
                paused=since if flow.waiting else 0.0,
                waiting=flow.waiting,
            )
        )
        self._attempts, self._failures, self._last = 0, Counter(), now

    def beats(self) -> Sequence[Beat]:
        """Return the beats since they were last asked for; from any one thread."""
        return [self._beats.popleft() for _ in range(len(self._beats))]
