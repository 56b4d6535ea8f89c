"""How calls flow, gathered in beats."""

from __future__ import annotations

from batcher.errors import ErrorClass, Problem
from batcher.history import Beat
from batcher.limits import Flow
from batcher.runs.pace import Pace

THROTTLED = Problem(ErrorClass.THROTTLED, "too many")


def test_a_beat_counts_what_happened_since_the_one_before() -> None:
    pace = Pace(lambda: Flow(3, 8), clock=lambda: 1000.9, monotonic=lambda: 5.0)
    for problem in (None, THROTTLED, THROTTLED):
        pace.attempted(problem)
    pace.look()
    pace.attempted(None)
    pace.look()
    quiet = Beat(1000, 1, {}, in_flight=3, limit=8, paused=0.0)
    assert pace.beats() == [
        quiet._replace(attempts=3, failures={ErrorClass.THROTTLED: 2}),
        quiet,
    ]
    assert pace.beats() == []


def test_where_calls_must_wait_the_time_since_the_last_look_is_a_pause() -> None:
    flows = iter([Flow(0, 8), Flow(0, 8, "paused"), Flow(0, 8, "paused"), Flow(1, 8)])
    times = iter([0.0, 0.5, 1.25, 1.75])
    pace = Pace(lambda: next(flows), clock=lambda: 0.0, monotonic=lambda: next(times))
    for _ in range(4):
        pace.look()
    assert [(beat.paused, beat.waiting) for beat in pace.beats()] == [
        (0.0, None),
        (0.5, "paused"),
        (0.75, "paused"),
        (0.0, None),
    ]
