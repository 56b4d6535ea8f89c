"""A limit that is found: by refusals, and by what more calls in flight gain.

AIMD as reliability.md section C asks, with a memory. The limit climbs by one for each success, so
that it doubles in a round trip, to a target. There it stays for an epoch, in which calls are
measured; then the target is set anew:

- A refusal cuts the limit to 0.7, at most once a round trip, and the target becomes what was in
  flight before the refused call. So much was fine: the limit is soon back there, and stays. From
  time to time one more is tried, then two, four, ... (Without a memory it would saw between 0.7
  and 1, and use 85 % of the server.)
- A server that queues refuses nothing. Its target is raised only while tokens a second grow with
  it: the tokens of a call a second in flight, times calls in flight. From time to time a little
  more is tried, and a little less, for capacities change. The length of an answer cancels out of
  this, as it would not out of a latency.

No clock is read here: seconds are those that calls took.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from batcher.engine.policy.limit import Grant

START = 8
CUT = 0.7
# Growth pays where it gains at least this share of what it would on an idle server.
PAYS = 0.5
# What is tried where a queue set the target; and with how much of the tokens less is enough.
MORE, LESS, ENOUGH = 1.25, 0.8, 0.95
# So many of a round trip's calls must be lost, and at least one, before that is congestion.
LOST_SHARE = 0.05
# Seconds between two calls when one at a time is refused.
FIRST_INTERVAL_S, LONGEST_INTERVAL_S, LEAST_INTERVAL_S = 0.5, 5.0, 0.1
SOONER, LATER = 0.8, 2.0


class _Phase(Enum):
    """What an epoch is for."""

    GROWING = auto()
    HOLDING = auto()
    TRYING_MORE = auto()
    TRYING_LESS = auto()


# The calls of an epoch: so many for each in flight, and at least so many.
_CALLS = {
    _Phase.GROWING: (1, 32),
    _Phase.HOLDING: (16, 128),
    _Phase.TRYING_MORE: (2, 256),
    _Phase.TRYING_LESS: (2, 256),
}
# One call more can only be refused or not.
_CALLS_OF_A_STEP = (1, 16)


@dataclass(slots=True)
class _Sample:
    """The calls of an epoch, summed."""

    calls: int = 0
    seconds: float = 0.0
    tokens: int = 0


class _Point(NamedTuple):
    """Tokens a second with so many calls in flight."""

    limit: int
    rate: float


@dataclass(slots=True)
class AdaptiveLimit:
    """Finds the limit between 1 and `most`, from `start` on; see the module."""

    most: int
    start: int = START
    interval: float = 0.0
    _limit: float = field(init=False)
    _target: int = field(init=False)
    _phase: _Phase = _Phase.GROWING
    _refuses: bool = False
    _step: int = 1
    _base: _Point | None = None
    _sample: _Sample = field(default_factory=_Sample)
    _granted: int = 0
    _cut_at: int = 0
    _epoch_at: int = 0
    _heard: int = 0
    _lost: int = 0
    _more_next: bool = True

    def __post_init__(self) -> None:
        """Begin where the user lets it."""
        self._limit = self._target = min(self.start, self.most)

    @property
    def limit(self) -> int:
        """See `Limit`."""
        return int(self._limit)

    def grant(self, in_flight: int) -> Grant:
        """See `Limit`."""
        self._granted += 1
        return Grant(self._granted, in_flight, self.limit)

    def completed(self, grant: Grant, seconds: float, tokens: int) -> None:
        """See `Limit`."""
        self._hear()
        self.interval *= SOONER
        if self.interval < LEAST_INTERVAL_S:
            self.interval = 0.0
        if self.interval or grant.number <= self._cut_at or not grant.saturated:
            return
        if self.limit < self._target:
            self._limit = min(self._limit + 1, self._target)
            if self.limit == self._target:
                self._begin_epoch()
        elif grant.number > self._epoch_at:
            self._measure(seconds, tokens)

    def refused(self, grant: Grant) -> None:
        """See `Limit`."""
        fine = max(1, grant.in_flight - 1)
        if grant.number <= self._cut_at:
            # The burst that the last cut answered; it may know better what was fine.
            self._target = min(self._target, fine)
            self._limit = min(self._limit, self._target)
            return
        if self.limit == 1:
            self.interval = min(max(FIRST_INTERVAL_S, self.interval * LATER), LONGEST_INTERVAL_S)
        self._cut(to=min(self._target, fine))
        self._refuses = True

    def lost(self, grant: Grant) -> None:
        """See `Limit`."""
        self._hear()
        if grant.number > self._cut_at:
            self._lost += 1
            if self._lost >= max(1.0, LOST_SHARE * self.limit):
                self._cut(to=max(1, int(self.limit * CUT)))
                self._refuses = False

    def restart(self) -> None:
        """See `Limit`."""
        good = self._base.limit if self._base else self._target
        self._cut(to=good)
        self._limit = max(1, good // 4)
        self.interval = 0.0

    def _hear(self) -> None:
        """Count a round trip's answers, and forget after it what it lost."""
        self._heard += 1
        if self._heard >= self.limit:
            self._heard = self._lost = 0

    def _cut(self, to: int) -> None:
        self._limit = max(1.0, self._limit * CUT)
        self._target = to
        self._limit = min(self._limit, self._target)
        self._cut_at = self._granted
        self._heard = self._lost = 0
        self._step = 1
        self._phase = _Phase.HOLDING
        self._base = None
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._epoch_at = self._granted
        self._sample = _Sample()

    def _aim(self, target: float, phase: _Phase) -> None:
        """Go to `target` for an epoch of `phase`."""
        self._target = max(1, min(round(target), self.most))
        self._limit = min(self._limit, self._target)
        self._phase = phase
        self._begin_epoch()

    def _measure(self, seconds: float, tokens: int) -> None:
        sample = self._sample
        sample.calls += 1
        sample.seconds += seconds
        sample.tokens += tokens
        stepping = self._phase is _Phase.TRYING_MORE and self._refuses
        round_trips, least = _CALLS_OF_A_STEP if stepping else _CALLS[self._phase]
        if sample.calls >= max(round_trips * self.limit, least):
            rate = self.limit * sample.tokens / max(sample.seconds, 1e-9)
            self._decide(_Point(self.limit, rate))

    def _decide(self, here: _Point) -> None:
        """Set the next target, after an epoch that measured `here`."""
        base = self._base
        match self._phase:
            case _Phase.HOLDING:
                self._base = here
                self._try_another()
            case _Phase.TRYING_LESS:
                if base is not None and here.rate < ENOUGH * base.rate:
                    self._aim(base.limit, _Phase.HOLDING)
                else:
                    # The rest only queued; perhaps still less is enough.
                    self._base = here
                    again = _Phase.TRYING_LESS if here.limit > 1 else _Phase.HOLDING
                    self._aim(_less(here.limit), again)
            case _Phase.TRYING_MORE | _Phase.GROWING:
                self._grow(base, here)

    def _grow(self, base: _Point | None, here: _Point) -> None:
        """Grow on, unless more in flight did not gain what it should."""
        if base is None:
            self._base = here
            self._aim(here.limit * 2, _Phase.GROWING)
        elif self._refuses and here.limit < base.limit * MORE:
            # Too little to be measured; that nothing was refused is enough.
            self._step *= 2
            self._aim(here.limit + self._step, _Phase.TRYING_MORE)
        elif here.rate / base.rate - 1 >= PAYS * (here.limit / base.limit - 1) > 0:
            self._base = here
            self._refuses = False
            self._aim(here.limit * 2, _Phase.GROWING)
        else:
            gain = max(1.0, here.rate / base.rate)
            self._refuses = False
            self._aim(min(base.limit * gain, here.limit), _Phase.HOLDING)

    def _try_another(self) -> None:
        """Leave a target that has held: for one call more where refusals set it, else for a bit."""
        more, less = self.limit < self.most, self.limit > 1 and not self._refuses
        if more and (self._refuses or self._more_next or not less):
            by = 1 if self._refuses else max(1, round(self.limit * (MORE - 1)))
            self._aim(self.limit + by, _Phase.TRYING_MORE)
        elif less:
            self._aim(_less(self.limit), _Phase.TRYING_LESS)
        else:
            self._aim(self.limit, _Phase.HOLDING)
        self._more_next = not self._more_next


def _less(limit: int) -> int:
    return max(1, min(limit - 1, round(limit * LESS)))
