"""How the calls of the last half minute went."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_S = 30.0
# Fewer samples than this say little of the last half minute; then the last ones count, however old.
ENOUGH = 20


@dataclass(slots=True)
class _Second:
    start: int
    well: int = 0
    calls: int = 0


@dataclass(slots=True)
class Window:
    """Counts successes among calls, by whole seconds, so that it stays small at any rate.

    So what it forgets is 29 to 30 s old.
    """

    _seconds: deque[_Second] = field(default_factory=deque)
    _last: deque[bool] = field(default_factory=lambda: deque(maxlen=ENOUGH))

    def add(self, now: float, *, well: bool) -> None:
        """Count a call that ended at `now` (monotonic seconds)."""
        if not self._seconds or self._seconds[-1].start != int(now):
            self._forget(now)
            self._seconds.append(_Second(int(now)))
        self._seconds[-1].calls += 1
        self._seconds[-1].well += well
        self._last.append(well)

    def share(self, now: float) -> tuple[int, float]:
        """Return how many calls ended within half a minute before `now`, and which share well."""
        self._forget(now)
        calls = sum(second.calls for second in self._seconds)
        well = sum(second.well for second in self._seconds)
        return calls, well / calls if calls else 1.0

    def is_healthy(self, now: float) -> bool:
        """Whether at least half of the calls succeed: those of the window, or the last 20."""
        calls, share = self.share(now)
        if calls < ENOUGH:
            share = sum(self._last) / len(self._last) if self._last else 1.0
        return share >= 0.5  # noqa: PLR2004 -- half, as reliability.md section C says

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0].start <= now - WINDOW_S:
            self._seconds.popleft()
