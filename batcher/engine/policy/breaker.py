"""The circuit breaker: while the endpoint is down one row at a time asks whether it is back.

reliability.md section C. It opens at 10 failures in a row, or at 20 calls in 30 s of which under
10 % succeed. Open, a real row is the probe: after 5 s, then twice as long each time up to 60 s,
+/- 20 %. Three successes close it.

Sustained refusals open it too (the endpoint answers, but nothing gets through): after 30 in a row
without a single success, over half a minute at least (a burst of them is the limit's business).
There one success closes it, for what was missing is there again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from batcher.engine.policy.signal import Signal
from batcher.engine.policy.window import ENOUGH, Window

IN_A_ROW = 10
REFUSALS_IN_A_ROW, SUSTAINED_S = 30, 30.0
UNDER = 0.1
FIRST_PROBE_S, LONGEST_PROBE_S, SPREAD = 5.0, 60.0, 0.2
CLOSING_SUCCESSES = 3

Uniform = Callable[[float, float], float]


@dataclass(slots=True)
class Breaker:
    """Says when the next call may be made, from how the last ones went. Moments are monotonic.

    `since` is when it opened, None while it is closed. `failed_probes` counts those of the
    present outage.
    """

    uniform: Uniform
    since: float | None = None
    failed_probes: int = 0
    _window: Window = field(default_factory=Window)
    _failures: int = 0
    _refusals: int = 0
    _refused_since: float = 0.0
    _refused: bool = False
    _probing: bool = False
    _successes: int = 0
    _delay: float = FIRST_PROBE_S
    _next_probe: float = 0.0
    _closed_at: float = -inf

    @property
    def is_open(self) -> bool:
        """Whether only probes are let through."""
        return self.since is not None

    def wait(self, now: float) -> float:
        """Return the seconds until a call may be made; infinite while a probe is under way."""
        if not self.is_open:
            return 0.0
        return inf if self._probing else max(0.0, self._next_probe - now)

    def granted(self) -> bool:
        """Let a call go; return whether it is a probe."""
        self._probing = self.is_open
        return self._probing

    def abandoned(self) -> None:
        """Hear that the probe was given up, and says nothing."""
        self._probing = False

    def is_healthy(self, now: float) -> bool:
        """Whether a failure may be the row's own: the breaker is closed, and half succeeds."""
        return not self.is_open and self._window.is_healthy(now)

    def heard(
        self, now: float, signal: Signal, *, began: float, probe: bool, telling: bool = True
    ) -> bool:
        """Take in how a call ended that `began` then; return whether the breaker turned.

        A failure that is not `telling` is one of a row that has failed before while others went
        well: it says nothing of the endpoint. One of a call that began before the last outage was
        over tells of that outage: it is counted, so that rows are not blamed, and opens nothing.
        """
        if probe:
            self._probing = False
        well = signal is Signal.ANSWERED
        if self.is_open:
            return probe and self._probed(now, well=well)
        is_late = began < self._closed_at
        if signal is Signal.THROTTLED:
            return not is_late and self._refuse(now)
        if not well and not telling:
            return False
        self._window.add(now, well=well)
        if is_late and not well:
            return False
        self._refusals = 0
        self._failures = 0 if well else self._failures + 1
        if well:
            return False
        calls, share = self._window.share(now)
        down = self._failures >= IN_A_ROW or (calls >= ENOUGH and share < UNDER)
        return down and self._open(now, refused=False)

    def _refuse(self, now: float) -> bool:
        """Count a refusal; return whether it opened the breaker."""
        if not self._refusals:
            self._refused_since = now
        self._refusals += 1
        is_sustained = now - self._refused_since >= SUSTAINED_S
        return (
            is_sustained and self._refusals >= REFUSALS_IN_A_ROW and self._open(now, refused=True)
        )

    def _open(self, now: float, *, refused: bool) -> bool:
        self.since = now
        self._refused = refused
        self._successes = self.failed_probes = 0
        self._delay = FIRST_PROBE_S
        self._wait_from(now)
        return True

    def _probed(self, now: float, *, well: bool) -> bool:
        """Count a probe; return whether it closed the breaker."""
        if not well:
            self._successes = 0
            self.failed_probes += 1
            self._delay = min(self._delay * 2, LONGEST_PROBE_S)
            self._wait_from(now)
            return False
        self._successes += 1
        self._next_probe = now
        if self._successes < (1 if self._refused else CLOSING_SUCCESSES):
            return False
        self.since = None
        self._closed_at = now
        self._failures = self._refusals = self.failed_probes = 0
        self._window = Window()
        return True

    def _wait_from(self, now: float) -> None:
        self._next_probe = now + self._delay * self.uniform(1 - SPREAD, 1 + SPREAD)
