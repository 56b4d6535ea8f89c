"""A limit that is found: by refusals, and by what more calls in flight gain.

AIMD as reliability.md section C asks, with a memory. The limit climbs by one for each success, so
that it doubles in a round trip, to a target. There it stays while calls are measured; then the
target is set anew:

- A refusal cuts the limit to 0.7, at most once a round trip, and the target becomes what was in
  flight beside the refused calls. So much was fine: the limit is soon back there, and stays. After
  a while one more is tried, then two, four, ... (Without a memory it would saw between 0.7 and 1,
  and use 85 % of the server.)
- A server that queues refuses nothing. Its target is raised only while tokens a second grow with
  it: the tokens of a call a second in flight, times calls in flight. After a while a little more is
  tried, or a little less, for capacities change. The length of an answer cancels out of this, as it
  would not out of a latency.

The while is short after a change, and twice as long each time that another target turned out no
better. No clock is read here: seconds are those that calls took. The constants are those with which
the simulations of tests/overload did well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import assert_never

from batcher.engine.policy.limit import Grant
from batcher.engine.policy.measure import Point, Sample, gain

START = 8
CUT = 0.7
# A doubling, or a trial of more, pays where it gains at least this share of what it would on an
# idle server.
DOUBLING_PAYS, TRIAL_PAYS = 0.5, 0.2
# What is tried where a queue set the target, and with which share of the tokens less is enough.
MORE, LESS, ENOUGH = 1.25, 0.875, 0.96
# Tokens a second that fall so far at the same limit call at once for less, tried by halves.
FALLEN, HALF = 0.8, 0.5
# An estimate of what is needed is exceeded a little: a short queue costs less than a gap.
MARGIN = 1.1
# Round trips that a target is held before another is tried: a refusal costs more than a trial.
SHORTEST_HOLD, LONGEST_HOLD, LONGEST_HOLD_SURE = 2, 8, 16
# A round trip counts as so many calls at least.
LEAST_HELD, LEAST_HELD_REFUSED = 8, 2
# Every second trial is of less.
TRIALS_OF_LESS = 2
# So many of a round trip's calls must be lost, and at least one, before that is congestion.
LOST_SHARE = 0.05
# Seconds between two calls when one at a time is refused.
FIRST_INTERVAL_S, LONGEST_INTERVAL_S, LEAST_INTERVAL_S = 0.5, 5.0, 0.1
SOONER, LATER = 0.5, 2.0


class _Phase(Enum):
    """What calls are measured for."""

    GROWING = auto()
    HOLDING = auto()
    TRYING_MORE = auto()
    TRYING_LESS = auto()


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
    _sample: Sample = field(default_factory=Sample)
    _base: Point | None = None
    _hold: int = SHORTEST_HOLD
    _held: int = 0
    _samples: int = 0
    _trials: int = 0
    _step: int = 1
    _less: float = LESS
    _granted: int = 0
    _in_flight: int = 0
    _cut_at: int = 0
    _fine: int = 0
    _heard: int = 0
    _lost: int = 0

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
            return
        self._sample.add(seconds, tokens)
        if self._is_enough():
            self._decide(self._here)

    def refused(self, grant: Grant) -> None:
        """See `Limit`."""
        if grant.number > self._cut_at:
            if self.limit == 1:
                self.interval = min(
                    max(FIRST_INTERVAL_S, self.interval * LATER), LONGEST_INTERVAL_S
                )
            self._refuses = True
            self._hold = self._longer() if self._phase is _Phase.TRYING_MORE else SHORTEST_HOLD
            self._fine = self._in_flight
            self._cut(to=self._target)
        # Each refusal of the same burst leaves one less of the calls that were in flight.
        self._fine = max(1, self._fine - 1)
        self._target = min(self._target, self._fine)
        self._limit = min(self._limit, self._target)

    def lost(self, grant: Grant) -> None:
        """See `Limit`."""
        self._hear()
        if grant.number > self._cut_at:
            self._lost += 1
            if self._lost >= max(1.0, LOST_SHARE * self.limit):
                self._refuses = False
                self._cut(to=max(1, int(self.limit * CUT)), base=self._base)

    def restart(self) -> None:
        """See `Limit`."""
        good = self._base.limit if self._base else self._target
        was_growing = self._phase is _Phase.GROWING
        self._cut(to=good)
        if was_growing:
            self._phase = _Phase.GROWING
        self._limit = max(1, good // 4)
        self.interval = 0.0

    def _hear(self) -> None:
        """Count a round trip's answers, and forget after it what it lost."""
        self._heard += 1
        if self._heard >= self.limit:
            self._heard = self._lost = 0

    def _cut(self, to: int, base: Point | None = None) -> None:
        self._limit = max(1.0, self._limit * CUT)
        self._cut_at = self._granted
        self._heard = self._lost = 0
        self._step = 1
        self._base = base
        self._aim(to, _Phase.HOLDING)

    def _aim(self, target: float, phase: _Phase) -> None:
        """Go to `target`, and measure there for `phase`."""
        self._target = max(1, min(round(target), self.most))
        # A queue remembers the limit before, and so do long answers; a refusal does not.
        slow_to_tell = 0 if self._refuses else 1 if phase is _Phase.GROWING else 2
        self._sample = Sample(skip=slow_to_tell * max(self.limit, self._target))
        self._limit = min(self._limit, self._target)
        self._phase = phase
        self._held = self._samples = 0

    def _is_enough(self) -> bool:
        """Whether the sample tells what it is for."""
        if self._refuses:
            return self._sample.calls >= self.limit
        is_coarse = self._phase is _Phase.GROWING or (
            self._phase is _Phase.TRYING_LESS and self._less == HALF
        )
        roughly = is_coarse or self._has_fallen(self._here, HALF)
        return self._sample.tells(self.limit, roughly=roughly)

    @property
    def _here(self) -> Point:
        """What was measured."""
        return Point(self.limit, self.limit * self._sample.speed)

    def _has_fallen(self, here: Point, share: float) -> bool:
        """Whether calls give less than `share` of what so many gave before."""
        expected = self._base.expected(here.limit) if self._base and not self._refuses else 0.0
        return here.rate < share * expected

    def _decide(self, here: Point) -> None:
        """Set the next target, after a sample that measured `here`."""
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
            case unreachable:
                assert_never(unreachable)

    def _go_on_holding(self, here: Point) -> None:
        """Hold the target for a while, unless what it gives has fallen; then try another."""
        self._held += self._sample.calls
        self._samples += 1
        base = self._base if self._base and self._base.limit == here.limit else here
        fell = self._has_fallen(here, HALF if base is here else FALLEN)
        if fell or self._samples == 1:
            self._base = here
        else:
            mean = base.rate + (here.rate - base.rate) / self._samples
            self._base = Point(here.limit, mean)
        round_trip = max(self.limit, LEAST_HELD_REFUSED if self._refuses else LEAST_HELD)
        if fell:
            self._try_less(HALF, here.limit)
        elif self._held >= self._hold * round_trip:
            self._try_another()
        else:
            self._sample = Sample()

    def _try_another(self) -> None:
        """Leave the target: by one call where refusals set it, else for a bit more or less."""
        more, less = self.limit < self.most, self.limit > 1 and not self._refuses
        self._trials += 1
        if less and (self._trials % TRIALS_OF_LESS == 0 or not more):
            self._try_less(LESS, self.limit)
        elif more:
            self._try_more(self.limit)
        else:
            self._aim(self.limit, _Phase.HOLDING)

    def _try_less(self, share: float, limit: int) -> None:
        self._less = share
        less = min(limit - 1, round(limit * share))
        self._aim(less, _Phase.TRYING_LESS if less > 0 else _Phase.HOLDING)

    def _grow(self, base: Point | None, here: Point) -> None:
        """Double again, unless the last doubling did not gain what it should."""
        if base is None or gain(base, here) >= DOUBLING_PAYS:
            self._base = here
            if here.limit < self.most:
                self._aim(here.limit * 2, _Phase.GROWING)
            else:
                # All that may be in flight is of use: no hurry to try less.
                self._hold = LONGEST_HOLD_SURE
                self._aim(here.limit, _Phase.HOLDING)
        elif base.limit <= self.start and gain(base, here) < TRIAL_PAYS:
            # Even the first limit may be too much.
            self._try_less(HALF, base.limit)
        else:
            needed = base.limit * max(1.0, here.rate / base.rate) * MARGIN
            self._aim(min(needed, here.limit), _Phase.HOLDING)

    def _judge_less(self, base: Point, here: Point) -> None:
        """Keep to less where it is enough, and try still less: the rest only queued."""
        if here.rate >= ENOUGH * base.rate:
            # More where less is being done at once: calls were in each other's way.
            self._base = Point(here.limit, max(base.rate, here.rate))
            self._hold = SHORTEST_HOLD
            self._try_less(self._less, here.limit)
            return
        if base.limit <= self.start and gain(here, base) >= DOUBLING_PAYS:
            # Even the first limit was of use, so perhaps more is.
            self._try_more(base.limit)
            return
        # Below what the server can do at once, tokens a second are in proportion to calls.
        needed = math.ceil(here.limit * base.rate / here.rate * MARGIN)
        self._hold = self._longer()
        self._aim(min(needed, base.limit), _Phase.HOLDING)
        if self._less == HALF:
            # That was coarse: the next trial is of less again.
            self._trials = -1

    def _try_more(self, limit: int) -> None:
        by = 1 if self._refuses else max(1, round(limit * (MORE - 1)))
        self._aim(limit + by, _Phase.TRYING_MORE)

    def _judge_more(self, base: Point, here: Point) -> None:
        """Go on from more where it gained what it should, else back."""
        if self._refuses and here.limit < max(base.limit * MORE, self.start):
            # Too little to be measured; that nothing was refused is enough.
            self._hold = SHORTEST_HOLD
            self._step *= 2
            self._aim(here.limit + self._step, _Phase.TRYING_MORE)
            return
        gained = gain(base, here)
        self._refuses = False
        if gained < TRIAL_PAYS:
            self._hold = self._longer()
            self._aim(base.limit, _Phase.HOLDING)
            return
        self._hold = SHORTEST_HOLD
        self._base = here
        if gained < DOUBLING_PAYS:
            self._aim(here.limit * MORE, _Phase.TRYING_MORE)
        else:
            self._aim(here.limit * 2, _Phase.GROWING)

    def _longer(self) -> int:
        longest = LONGEST_HOLD_SURE if self._refuses else LONGEST_HOLD
        return max(self._hold, min(self._hold * 2, longest))
