"""A limit that is found: by refusals, and by what more calls in flight gain.

AIMD as reliability.md section C asks, with a memory. The limit climbs by one for each success, so
that it doubles in a round trip, to a target. There it stays while a block of calls is measured;
then the target is set anew:

- A refusal cuts the limit to 0.7, at most once a round trip, and the target becomes what was in
  flight beside the refused calls. So much was fine: the limit is soon back there, and stays. After
  a while one more is tried, then two, four, ... (Without a memory it would saw between 0.7 and 1,
  and use 85 % of the server.)
- A server that queues refuses nothing. Its target is raised only while tokens a second grow with
  it: the tokens of a call a second in flight, times calls in flight. After a while a little more is
  tried, or a little less, for capacities change. The length of an answer cancels out of this, as it
  would not out of a latency.

The while is short after a change, and longer each time that another target turned out no better.
No clock is read here: seconds are those that calls took.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from batcher.engine.policy.limit import Grant

START = 8
CUT = 0.7
# A doubling, or a trial of more, pays where it gains at least this share of what it would on an
# idle server.
DOUBLING_PAYS, TRIAL_PAYS = 0.5, 0.2
# What is tried where a queue set the target; and with how much of the tokens less is enough.
MORE, LESS, ENOUGH = 1.25, 0.875, 0.95
# Tokens a second that fall so far, at the same limit, call for a trial of less at once.
FALLEN = 0.8
# A block is measured until its error is so small a share, or so many times as many calls as are in
# flight (or the least that tell anything) are in it.
ROUGH, FINE = 0.15, 0.02
LEAST_CALLS, MOST_ROUNDS = 16, 12
# Where growth ended a little room is left above the estimate: a queue costs less than a gap.
MARGIN = 1.1
# Where much less must be enough, it is tried by halves.
HALF = 0.5
# Round trips that a target is held before another is tried. A refusal costs more than a trial.
SHORTEST_HOLD, LONGEST_HOLD, LONGEST_HOLD_REFUSED = 2, 8, 16
# So many of a round trip's calls must be lost, and at least one, before that is congestion.
LOST_SHARE = 0.05
# Seconds between two calls when one at a time is refused.
FIRST_INTERVAL_S, LONGEST_INTERVAL_S, LEAST_INTERVAL_S = 0.5, 5.0, 0.1
SOONER, LATER = 0.8, 2.0


class _Phase(Enum):
    """What a block of calls is for."""

    GROWING = auto()
    HOLDING = auto()
    TRYING_MORE = auto()
    TRYING_LESS = auto()


@dataclass(slots=True)
class _Block:
    """The calls measured together, summed: after the next `skip`, which another limit slowed."""

    skip: int = 0
    calls: int = 0
    seconds: float = 0.0
    tokens: float = 0.0
    _squares: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def add(self, seconds: float, tokens: float) -> None:
        self.calls += 1
        self.seconds += seconds
        self.tokens += tokens
        ss, st, tt = self._squares
        self._squares = (ss + seconds**2, st + seconds * tokens, tt + tokens**2)

    @property
    def speed(self) -> float:
        """Tokens of a call a second in flight."""
        return self.tokens / max(self.seconds, 1e-9)

    @property
    def error(self) -> float:
        """The standard error of `speed`, as a share of it: that of a ratio of sums."""
        ss, st, tt = self._squares
        speed = self.speed
        return math.sqrt(max(0.0, tt - 2 * speed * st + speed**2 * ss)) / self.tokens


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
    _hold: int = SHORTEST_HOLD
    _held: int = 0
    _blocks: int = 0
    _base: _Point | None = None
    _block: _Block = field(default_factory=_Block)
    _granted: int = 0
    _in_flight: int = 0
    _cut_at: int = 0
    _fine: int = 0
    _heard: int = 0
    _lost: int = 0
    _trials: int = 0
    _less: float = LESS

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
        self._in_flight = in_flight
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
        elif self._block.skip > 0:
            self._block.skip -= 1
        else:
            self._measure(seconds, tokens)

    def refused(self, grant: Grant) -> None:
        """See `Limit`."""
        if grant.number > self._cut_at:
            if self.limit == 1:
                self.interval = min(max(FIRST_INTERVAL_S, self.interval * LATER), LONGEST_INTERVAL_S)
            self._fine = self._in_flight
            self._refuses = True
            self._hold = self._longer() if self._phase is _Phase.TRYING_MORE else SHORTEST_HOLD
            self._cut(to=self._target)
        # Of the calls that were in flight, each refusal of the same burst leaves one less.
        self._fine = max(1, self._fine - 1)
        self._target = min(self._target, self._fine)
        self._limit = min(self._limit, self._target)

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

    def _longer(self) -> int:
        return min(self._hold * 2, LONGEST_HOLD_REFUSED if self._refuses else LONGEST_HOLD)

    def _cut(self, to: int) -> None:
        self._limit = max(1.0, self._limit * CUT)
        self._cut_at = self._granted
        self._heard = self._lost = 0
        self._step = 1
        self._base = None
        self._aim(to, _Phase.HOLDING)

    def _aim(self, target: float, phase: _Phase) -> None:
        """Go to `target` for a block of `phase`."""
        self._target = max(1, min(round(target), self.most))
        # What is in flight by then began at another limit.
        rounds = 0 if self._refuses else 1 if phase is _Phase.GROWING else 2
        self._block = _Block(rounds * max(self.limit, self._target))
        self._limit = min(self._limit, self._target)
        self._phase = phase
        self._held = self._blocks = 0

    def _measure(self, seconds: float, tokens: int) -> None:
        block = self._block
        # Where a provider does not count tokens, answers are counted.
        block.add(seconds, tokens or 1)
        if self._refuses:
            enough = block.calls >= max(self.limit, 4)
        else:
            precision = ROUGH if self._phase is _Phase.GROWING else FINE
            enough = block.calls >= max(self.limit, LEAST_CALLS) and (
                block.error <= precision or block.calls >= MOST_ROUNDS * max(self.limit, LEAST_CALLS)
            )
        if enough:
            self._decide(_Point(self.limit, self.limit * block.speed))

    def _decide(self, here: _Point) -> None:
        """Set the next target, after a block that measured `here`."""
        base = self._base
        match self._phase:
            case _Phase.HOLDING:
                self._go_on_holding(here)
            case _Phase.GROWING:
                self._grow(base, here)
            case _Phase.TRYING_LESS:
                self._judge_less(base or here, here)
            case _Phase.TRYING_MORE:
                self._judge_more(base or here, here)

    def _go_on_holding(self, here: _Point) -> None:
        """Hold the target for a while, unless what it gives has fallen; then try another."""
        self._held += self._block.calls
        self._blocks += 1
        base = self._base if self._base and self._base.limit == here.limit else here
        fell = not self._refuses and here.rate < FALLEN * base.rate
        if fell or self._blocks == 1:
            self._base = here
        else:
            self._base = _Point(here.limit, base.rate + (here.rate - base.rate) / self._blocks)
        if fell:
            self._try_less(HALF, here.limit)
        elif self._held >= self._hold * max(self.limit, 2 if self._refuses else 8):
            self._try_another()
        else:
            self._block = _Block()

    def _try_another(self) -> None:
        """Leave the target: for one call more where refusals set it, else for a bit more or less."""
        more, less = self.limit < self.most, self.limit > 1 and not self._refuses
        self._trials += 1
        if less and (self._trials % 3 == 0 or not more):
            self._try_less(LESS, self.limit)
        elif more:
            by = 1 if self._refuses else max(1, round(self.limit * (MORE - 1)))
            self._aim(self.limit + by, _Phase.TRYING_MORE)
        else:
            self._aim(self.limit, _Phase.HOLDING)

    def _try_less(self, share: float, limit: int) -> None:
        self._less = share
        less = min(limit - 1, round(limit * share))
        self._aim(less, _Phase.TRYING_LESS if less > 0 else _Phase.HOLDING)

    def _grow(self, base: _Point | None, here: _Point) -> None:
        """Double again, unless the last doubling did not gain what it should."""
        if base is None or _gain(base, here) >= DOUBLING_PAYS:
            self._base = here
            self._aim(here.limit * 2, _Phase.GROWING if here.limit < self.most else _Phase.HOLDING)
        elif base.limit <= self.start and _gain(base, here) < TRIAL_PAYS:
            # Even the first limit may be too much.
            self._try_less(HALF, base.limit)
        else:
            gain = max(1.0, here.rate / base.rate)
            self._aim(min(base.limit * gain * MARGIN, here.limit), _Phase.HOLDING)

    def _judge_less(self, base: _Point, here: _Point) -> None:
        """Keep to less where it is enough, and try still less: the rest only queued."""
        if here.rate >= ENOUGH * base.rate:
            self._base = _Point(here.limit, base.rate)
            self._hold = SHORTEST_HOLD
            self._try_less(self._less, here.limit)
        else:
            # Below what the server can do at once, tokens a second are in proportion to calls.
            self._hold = self._longer()
            needed = here.limit * base.rate / here.rate * MARGIN
            if self._less == HALF:
                # A coarse estimate; the next trial is of less again.
                self._trials = -1
            self._aim(min(math.ceil(needed), base.limit), _Phase.HOLDING)

    def _judge_more(self, base: _Point, here: _Point) -> None:
        """Go on from more where it gained what it should, else back."""
        gain = _gain(base, here)
        if self._refuses and here.limit < base.limit * MORE:
            # Too little to be measured; that nothing was refused is enough.
            self._hold = SHORTEST_HOLD
            self._step *= 2
            self._aim(here.limit + self._step, _Phase.TRYING_MORE)
        elif gain < TRIAL_PAYS:
            self._refuses = False
            self._hold = self._longer()
            self._aim(base.limit, _Phase.HOLDING)
        else:
            self._refuses = False
            self._hold = SHORTEST_HOLD
            self._base = here
            if gain < DOUBLING_PAYS:
                self._aim(here.limit * MORE, _Phase.TRYING_MORE)
            else:
                self._aim(here.limit * 2, _Phase.GROWING)


def _gain(base: _Point, here: _Point) -> float:
    """Return what growth gained, as the share of what it would have on an idle server."""
    more = here.limit / base.limit - 1
    return (here.rate / base.rate - 1) / more if more > 0 else 0.0

