"""The limit that is found, told of calls in waves; tests/overload drives it through time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from batcher.engine.policy.adaptive import (
    FIRST_INTERVAL_S,
    LONGEST_HOLD_SURE,
    LONGEST_INTERVAL_S,
    START,
    AdaptiveLimit,
)

TOKENS = 100


def _wave(limit: AdaptiveLimit, *, capacity: int = 10**6, seconds: float = 2.0) -> int:
    """Make as many calls as may be in flight at once; those beyond `capacity` are refused.

    Returns how many were refused.
    """
    calls = limit.limit
    grants = [limit.grant(in_flight) for in_flight in range(1, calls + 1)]
    for grant in grants[capacity:]:
        limit.refused(grant)
    for grant in grants[:capacity]:
        # As it is between waves: the next call begins where one ends.
        limit.completed(grant._replace(in_flight=calls), seconds, TOKENS)
    return max(0, calls - capacity)


def _queue(limit: AdaptiveLimit, knee: int, waves: int) -> list[int]:
    """Serve waves, of which each call takes longer as far as there are more than `knee`."""
    limits = []
    for _ in range(waves):
        limits.append(limit.limit)
        _wave(limit, seconds=2.0 * max(1.0, limit.limit / knee))
    return limits


def _until(limit: AdaptiveLimit, reached: Callable[[], bool], *, capacity: int = 10**6) -> int:
    """Serve waves until something is reached; return their number."""
    for waves in range(1000):
        if reached():
            return waves
        _wave(limit, capacity=capacity)
    raise AssertionError("not reached in 1000 waves")


def _settled(capacity: int) -> AdaptiveLimit:
    """Return a limit that has met `capacity` and is back there."""
    limit = AdaptiveLimit(1000)
    refused = 0
    while not refused:
        refused = _wave(limit, capacity=capacity)
    _until(limit, lambda: limit.limit == capacity, capacity=capacity)
    return limit


def test_it_begins_with_a_few_and_keeps_to_the_most() -> None:
    assert AdaptiveLimit(1000).limit == START
    few = AdaptiveLimit(3)
    assert max(_queue(few, knee=100, waves=50)) == 3
    assert set(_queue(AdaptiveLimit(1), knee=100, waves=200)) == {1}


def test_it_doubles_while_that_pays_and_stops_at_the_most() -> None:
    limit = AdaptiveLimit(100)
    waves = _until(limit, lambda: limit.limit == 100)
    assert waves < 20
    assert max(_queue(limit, knee=1000, waves=30)) == 100


def test_where_all_that_is_allowed_is_of_use_less_is_seldom_tried() -> None:
    limit = AdaptiveLimit(100)
    _until(limit, lambda: limit.limit == 100)
    limits = _queue(limit, knee=1000, waves=100)
    assert min(limits) < 100
    assert sum(limits) >= 0.97 * 100 * len(limits)


def test_it_climbs_by_one_for_each_success() -> None:
    limit = AdaptiveLimit(1000)
    _until(limit, lambda: limit.limit > START)
    limit.refused(limit.grant(limit.limit))
    before = limit.limit
    for more in range(1, 4):
        limit.completed(limit.grant(limit.limit), 2.0, TOKENS)
        assert limit.limit == before + more


def test_calls_that_do_not_use_the_limit_do_not_raise_it() -> None:
    limit = AdaptiveLimit(1000)
    for _ in range(1000):
        limit.completed(limit.grant(START // 2), 2.0, TOKENS)
    assert limit.limit == START


def test_a_burst_of_refusals_cuts_once_and_tells_what_was_fine() -> None:
    limit = AdaptiveLimit(1000, start=40)
    grants = [limit.grant(in_flight) for in_flight in range(1, 41)]
    for grant in grants[30:]:
        limit.refused(grant)
    assert limit.limit == 28
    _until(limit, lambda: limit.limit == 30)
    assert limit.limit == 30


def test_a_burst_may_show_that_less_was_fine_than_the_cut_left() -> None:
    limit = AdaptiveLimit(1000)
    grants = [limit.grant(in_flight) for in_flight in range(1, 9)]
    for grant in reversed(grants[2:]):
        limit.refused(grant)
    assert limit.limit == 2


def test_a_second_round_trip_of_refusals_cuts_again() -> None:
    limit = AdaptiveLimit(1000, start=100)
    for expected in (70, 49, 34):
        limit.refused(limit.grant(limit.limit))
        assert limit.limit == expected


def test_what_was_granted_before_a_cut_does_not_raise_the_limit() -> None:
    limit = AdaptiveLimit(1000, start=40)
    grants = [limit.grant(40) for _ in range(40)]
    limit.refused(grants.pop())
    for grant in grants:
        limit.completed(grant, 2.0, TOKENS)
    assert limit.limit == 28


@pytest.mark.parametrize("capacity", [1, 2, 5, 40])
def test_it_stays_at_what_was_fine_and_tries_one_more_now_and_then(capacity: int) -> None:
    limit = _settled(capacity)
    limits, refused, waves = [], 0, 200
    for _ in range(waves):
        limits.append(limit.limit)
        refused += _wave(limit, capacity=capacity)
    assert max(limits) == capacity + 1
    assert sum(min(one, capacity) for one in limits) >= 0.95 * waves * capacity
    assert 0 < refused <= waves / 4


def test_the_longer_one_more_is_refused_the_more_seldom_it_is_tried() -> None:
    limit = _settled(40)
    _until(limit, lambda: limit._hold == LONGEST_HOLD_SURE, capacity=40)
    refused = sum(_wave(limit, capacity=40) for _ in range(100))
    assert 1 <= refused <= 100 / LONGEST_HOLD_SURE


@pytest.mark.parametrize("grown", [80, 1000])
def test_it_finds_a_limit_that_has_grown(grown: int) -> None:
    limit = _settled(40)
    assert _until(limit, lambda: limit.limit >= 0.95 * min(grown, 1000), capacity=grown) < 80


def test_a_refusal_of_a_single_call_spaces_calls_and_pins_nothing() -> None:
    limit = AdaptiveLimit(1000, start=1)
    intervals = []
    for _ in range(6):
        limit.refused(limit.grant(1))
        intervals.append(limit.interval)
    assert intervals == [FIRST_INTERVAL_S, 1.0, 2.0, 4.0, LONGEST_INTERVAL_S, LONGEST_INTERVAL_S]
    assert limit.limit == 1
    waves = _until(limit, lambda: limit.interval == 0)
    assert 1 < waves < 30
    assert _until(limit, lambda: limit.limit >= 20) < 200


def test_after_refusals_a_few_calls_are_not_judged_by_how_slow_they_were() -> None:
    """Up to the first limit: so few tell nothing, and what they seemed to tell pinned the limit."""
    limit = AdaptiveLimit(1000)
    _until(limit, lambda: limit.limit == 1, capacity=0)
    for _ in range(60):
        _wave(limit, seconds=2.0 if limit.limit in (1, START) else 8.0)
        if limit.limit > START:
            break
    assert limit.limit > START


@pytest.mark.parametrize("knee", [4, 20, 40, 150])
def test_where_calls_queue_it_settles_a_little_above_the_knee(knee: int) -> None:
    limit = AdaptiveLimit(1000)
    _queue(limit, knee, 60 if knee > START else 200)
    limits = _queue(limit, knee, 200)
    assert sum(limits) / len(limits) <= 1.5 * knee
    assert sum(min(one, knee) for one in limits) >= 0.95 * 200 * knee


@pytest.mark.parametrize("changed", [20, 80])
def test_it_follows_a_knee_that_moves(changed: int) -> None:
    limit = AdaptiveLimit(1000)
    _queue(limit, 40, 100)
    _queue(limit, changed, 60)
    limits = _queue(limit, changed, 100)
    assert 0.95 * changed <= sum(limits) / len(limits) <= 1.5 * changed


def test_where_more_gains_a_little_it_goes_on_in_small_steps() -> None:
    """As with a batch whose every call is slower the more there are."""
    limit = AdaptiveLimit(1000)
    limits = []
    for _ in range(300):
        limits.append(limit.limit)
        _wave(limit, seconds=2.0 * (1 + limit.limit / 20))
    assert 30 <= limits[-1] <= 130
    assert max(limits) < 200


def test_a_fall_of_tokens_a_second_is_answered_at_once() -> None:
    limit = AdaptiveLimit(1000)
    _queue(limit, 40, 100)
    _until(limit, lambda: limit._phase.name == "HOLDING")
    assert min(_queue(limit, 10, 15)) <= 22


def _crowd(limit: AdaptiveLimit, knee: int, waves: int) -> list[int]:
    """Serve waves of calls that are in each other's way: more than `knee` get less in all."""
    limits = []
    for _ in range(waves):
        limits.append(limit.limit)
        _wave(limit, seconds=2.0 * max(1.0, limit.limit / knee) ** 2)
    return limits


@pytest.mark.parametrize("knee", [3, 10])
def test_calls_in_each_other_s_way_become_fewer_until_they_are_not(knee: int) -> None:
    """Not as few as give no less than the crowd did, but as many as give the most."""
    limit = AdaptiveLimit(1000)
    _crowd(limit, 40, 60)
    _crowd(limit, knee, 60)
    limits = _crowd(limit, knee, 100)
    assert 0.8 * knee <= sum(limits) / len(limits) <= 1.5 * knee


def test_where_half_of_the_first_calls_gave_half_more_of_them_are_tried() -> None:
    """A doubling that seemed to gain nothing, by chance, does not pin the limit at the start."""
    limit = AdaptiveLimit(1000)
    _until(limit, lambda: limit.limit == 2 * START)
    while limit.limit > START // 2:
        _wave(limit, seconds=2.0 * max(1.0, limit.limit / START))
    assert _until(limit, lambda: limit.limit > START) < 30


def test_the_length_of_answers_does_not_matter() -> None:
    """Answers that become ten times as long are no queue."""
    limit = AdaptiveLimit(64)
    _until(limit, lambda: limit.limit == 64)
    for _ in range(100):
        calls = limit.limit
        for _ in range(calls):
            limit.completed(limit.grant(calls), 20.0, 10 * TOKENS)
        assert limit.limit >= 56


def test_where_tokens_are_not_counted_answers_are() -> None:
    limit = AdaptiveLimit(1000)
    for _ in range(60):
        calls = limit.limit
        for _ in range(calls):
            limit.completed(limit.grant(calls), max(1.0, calls / 40), 0)
    assert 38 <= limit.limit <= 60


def test_a_few_lost_calls_are_no_congestion() -> None:
    limit = AdaptiveLimit(1000, start=100)
    for _ in range(10):
        for _ in range(4):
            limit.lost(limit.grant(100))
        for _ in range(100):
            limit.completed(limit.grant(1), 2.0, TOKENS)
    assert limit.limit == 100


def test_many_lost_calls_in_a_round_trip_cut_once() -> None:
    limit = AdaptiveLimit(1000, start=100)
    grants = [limit.grant(100) for _ in range(20)]
    for grant in grants[:4]:
        limit.lost(grant)
    assert limit.limit == 100
    for grant in grants[4:]:
        limit.lost(grant)
    assert limit.limit == 70


def test_lost_calls_do_not_make_what_was_good_forgotten() -> None:
    """An outage often begins with them, and is not what the limit is."""
    limit = AdaptiveLimit(100)
    _until(limit, lambda: limit.limit == 100 and limit._base is not None)
    _queue(limit, knee=1000, waves=30)
    for grant in [limit.grant(100) for _ in range(100)]:
        limit.lost(grant)
    assert limit.limit <= 70
    limit.restart()
    assert 20 <= limit.limit <= 25


def test_after_an_outage_it_restarts_at_a_quarter_and_is_soon_back() -> None:
    limit = _settled(40)
    limit.restart()
    assert limit.limit == 10
    assert _until(limit, lambda: limit.limit == 40, capacity=40) <= 3


def test_after_an_outage_in_the_midst_of_growth_it_grows_on() -> None:
    limit = AdaptiveLimit(1000)
    limit.restart()
    assert limit.limit == 2
    assert _until(limit, lambda: limit.limit >= 64, capacity=1000) <= 40
