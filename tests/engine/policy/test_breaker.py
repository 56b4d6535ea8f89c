"""The circuit breaker."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from batcher.engine.policy.breaker import Breaker, Uniform
from batcher.engine.policy.signal import Signal

_TROUBLES = [Signal.FAILED, Signal.LOST]
_BAD = [*_TROUBLES, Signal.THROTTLED]


def _middle(low: float, high: float) -> float:
    return (low + high) / 2


@dataclass
class _Endpoint:
    """A breaker, and calls that end as soon as they are made."""

    breaker: Breaker = field(default_factory=lambda: Breaker(_middle))
    now: float = 1000.0

    def call(self, signal: Signal, times: int = 1, *, telling: bool = True) -> list[bool]:
        """Make calls that end so, each as soon as it may be; return which of them turned it."""
        turned = []
        for _ in range(times):
            self.now += self.breaker.wait(self.now)
            probe = self.breaker.granted()
            assert probe is self.breaker.is_open
            turned.append(
                self.breaker.heard(self.now, signal, began=self.now, probe=probe, telling=telling)
            )
        return turned

    def twice_nine_failures(self) -> list[bool]:
        """Make 20 calls of which a tenth goes well; return which of them turned it."""
        row = [*[Signal.FAILED] * 9, Signal.ANSWERED]
        return [turned for signal in row * 2 for turned in self.call(signal)]

    def refuse(self, times: int, *, every: float = 2.0) -> None:
        """Make calls that are refused, with so many seconds before each."""
        for _ in range(times):
            self.now += every
            self.call(Signal.THROTTLED)

    def delays(self, times: int) -> list[float]:
        """Return how long each of the next probes is waited for, all of which fail."""
        delays = []
        for _ in range(times):
            delays.append(self.breaker.wait(self.now))
            self.call(Signal.FAILED)
        return delays


def _open_one() -> _Endpoint:
    endpoint = _Endpoint()
    assert endpoint.call(Signal.FAILED, 10)[-1]
    return endpoint


@pytest.mark.parametrize("trouble", _TROUBLES)
def test_ten_failures_in_a_row_open_it_and_nine_do_not(trouble: Signal) -> None:
    endpoint = _Endpoint()
    assert endpoint.call(trouble, 9) == [False] * 9
    assert endpoint.breaker.since is None
    assert endpoint.call(trouble) == [True]
    assert endpoint.breaker.since == endpoint.now


def test_a_success_among_failures_begins_the_row_anew() -> None:
    endpoint = _Endpoint()
    for _ in range(2):
        assert not any(endpoint.call(Signal.FAILED, 9))
        assert not any(endpoint.call(Signal.ANSWERED))


def test_twenty_calls_open_it_as_soon_as_under_a_tenth_of_them_succeed() -> None:
    endpoint = _Endpoint()
    # 1 of 19 succeeds, which are too few to say; then 2 of 20; then 2 of 21.
    assert not any(endpoint.twice_nine_failures())
    assert endpoint.call(Signal.FAILED) == [True]


def test_a_tenth_of_twenty_calls_that_succeed_keep_it_closed() -> None:
    endpoint = _Endpoint()
    endpoint.call(Signal.ANSWERED)
    endpoint.call(Signal.FAILED, 9)
    endpoint.call(Signal.ANSWERED)
    assert endpoint.call(Signal.FAILED, 9) == [False] * 9


def test_a_share_of_failures_counts_for_half_a_minute_only() -> None:
    endpoint = _Endpoint()
    endpoint.twice_nine_failures()
    endpoint.now += 31
    assert endpoint.call(Signal.FAILED) == [False]


def test_failures_in_a_row_open_it_however_far_apart_they_are() -> None:
    endpoint = _Endpoint()
    endpoint.call(Signal.ANSWERED, 100)
    turned = []
    for _ in range(10):
        endpoint.now += 3600
        turned += endpoint.call(Signal.FAILED)
    assert turned == [False] * 9 + [True]


def test_a_suspect_row_never_opens_it_nor_breaks_a_row_of_failures() -> None:
    endpoint = _Endpoint()
    assert not any(endpoint.call(Signal.FAILED, 1000, telling=False))
    endpoint.call(Signal.FAILED, 9)
    assert not any(endpoint.call(Signal.LOST, 1000, telling=False))
    assert endpoint.call(Signal.FAILED) == [True]


def test_refusals_break_no_row_of_failures() -> None:
    endpoint = _Endpoint()
    endpoint.call(Signal.FAILED, 9)
    endpoint.call(Signal.THROTTLED, 5)
    assert endpoint.call(Signal.FAILED) == [True]


def test_probes_are_made_after_5_s_then_twice_as_long_up_to_60_s() -> None:
    assert _open_one().delays(7) == [5, 10, 20, 40, 60, 60, 60]


@pytest.mark.parametrize(("uniform", "delay"), [(min, 4.0), (max, 6.0)])
def test_a_probe_comes_up_to_a_fifth_sooner_or_later(uniform: Uniform, delay: float) -> None:
    endpoint = _Endpoint(Breaker(uniform))
    endpoint.call(Signal.FAILED, 10)
    assert endpoint.breaker.wait(endpoint.now) == pytest.approx(delay)


@pytest.mark.parametrize("bad", _BAD)
def test_a_probe_that_ends_badly_is_counted_and_the_next_waits_longer(bad: Signal) -> None:
    endpoint = _open_one()
    endpoint.call(bad, 2)
    assert endpoint.breaker.failed_probes == 2
    assert endpoint.breaker.wait(endpoint.now) == 20


def test_a_suspect_row_as_probe_that_fails_has_proved_nothing_good() -> None:
    endpoint = _open_one()
    endpoint.call(Signal.FAILED, telling=False)
    assert endpoint.breaker.failed_probes == 1


def test_three_successes_close_it_and_follow_on_each_other_at_once() -> None:
    endpoint = _open_one()
    began = endpoint.now
    assert endpoint.call(Signal.ANSWERED, 3) == [False, False, True]
    assert endpoint.now == began + 5
    assert not endpoint.breaker.is_open
    assert endpoint.breaker.failed_probes == 0
    assert endpoint.breaker.wait(endpoint.now) == 0.0


def test_a_failure_among_its_successes_begins_their_count_anew() -> None:
    endpoint = _open_one()
    endpoint.call(Signal.ANSWERED, 2)
    endpoint.call(Signal.FAILED)
    assert endpoint.breaker.wait(endpoint.now) == 10
    assert endpoint.call(Signal.ANSWERED, 3) == [False, False, True]


def test_a_second_outage_is_met_as_the_first_was() -> None:
    endpoint = _open_one()
    endpoint.delays(6)
    endpoint.call(Signal.ANSWERED, 3)
    assert endpoint.call(Signal.FAILED, 10) == [False] * 9 + [True]
    assert endpoint.delays(3) == [5, 10, 20]
    assert endpoint.breaker.failed_probes == 3


def test_while_a_probe_is_under_way_nothing_else_is_let_through() -> None:
    endpoint = _open_one()
    now = endpoint.now + 5
    assert endpoint.breaker.granted()
    assert endpoint.breaker.wait(now + 1e6) == inf


def test_a_probe_that_was_given_up_makes_room_for_another_at_once() -> None:
    endpoint = _open_one()
    now = endpoint.now + 5
    endpoint.breaker.granted()
    endpoint.breaker.abandoned()
    assert endpoint.breaker.wait(now) == 0.0
    assert endpoint.breaker.failed_probes == 0


def test_a_clock_that_jumps_ahead_by_hours_lets_one_probe_go_and_no_more() -> None:
    endpoint = _open_one()
    endpoint.delays(3)
    endpoint.now += 36_000
    assert endpoint.breaker.wait(endpoint.now) == 0.0
    assert endpoint.breaker.granted()
    assert endpoint.breaker.wait(endpoint.now) == inf


def test_calls_that_were_under_way_when_it_opened_change_nothing() -> None:
    endpoint = _open_one()
    for signal in Signal:
        assert not endpoint.breaker.heard(endpoint.now, signal, began=1.0, probe=False)
    assert endpoint.breaker.failed_probes == 0
    assert endpoint.breaker.wait(endpoint.now) == 5


@pytest.mark.parametrize("bad", _BAD)
def test_calls_of_an_outage_that_end_after_it_open_nothing(bad: Signal) -> None:
    endpoint = _open_one()
    began = endpoint.now
    endpoint.call(Signal.ANSWERED, 3)
    for _ in range(100):
        endpoint.now += 1.0
        assert not endpoint.breaker.heard(endpoint.now, bad, began=began, probe=False)
    endpoint.now += 31.0
    assert endpoint.call(Signal.FAILED, 10) == [False] * 9 + [True]


def test_failures_of_an_outage_that_end_after_it_are_no_fault_of_their_rows() -> None:
    endpoint = _open_one()
    began = endpoint.now
    endpoint.call(Signal.ANSWERED, 3)
    endpoint.breaker.heard(endpoint.now, Signal.LOST, began=began, probe=False)
    assert not endpoint.breaker.is_healthy(endpoint.now)
    endpoint.call(Signal.ANSWERED)
    assert endpoint.breaker.is_healthy(endpoint.now)


def test_refusals_for_half_a_minute_open_it_and_one_success_closes_it() -> None:
    endpoint = _Endpoint()
    endpoint.refuse(30)
    assert endpoint.breaker.is_open
    assert endpoint.breaker.wait(endpoint.now) == 5
    assert endpoint.call(Signal.ANSWERED) == [True]
    assert not endpoint.breaker.is_open


def test_fewer_than_thirty_refusals_do_not_open_it_however_long_they_take() -> None:
    endpoint = _Endpoint()
    endpoint.refuse(29, every=3600)
    assert not endpoint.breaker.is_open
    assert endpoint.call(Signal.THROTTLED) == [True]


def test_a_burst_of_refusals_does_not_open_it_until_it_has_lasted() -> None:
    endpoint = _Endpoint()
    assert not any(endpoint.call(Signal.THROTTLED, 1000))
    endpoint.now += 29.9
    assert endpoint.call(Signal.THROTTLED) == [False]
    endpoint.now += 0.1
    assert endpoint.call(Signal.THROTTLED) == [True]


@pytest.mark.parametrize("other", [Signal.ANSWERED, Signal.FAILED])
def test_refusals_with_anything_between_them_do_not_open_it(other: Signal) -> None:
    endpoint = _Endpoint()
    for _ in range(3):
        endpoint.refuse(29)
        assert not endpoint.breaker.is_open
        endpoint.call(other)


def test_after_refusals_an_outage_takes_three_successes_again() -> None:
    endpoint = _Endpoint()
    endpoint.refuse(30)
    endpoint.call(Signal.ANSWERED)
    endpoint.call(Signal.FAILED, 10)
    assert endpoint.call(Signal.ANSWERED, 3) == [False, False, True]


def test_a_failure_may_be_the_rows_own_only_while_it_is_closed_and_half_succeeds() -> None:
    endpoint = _Endpoint()
    health = [endpoint.breaker.is_healthy(endpoint.now)]
    for signal, times in [
        (Signal.ANSWERED, 10),
        (Signal.FAILED, 9),
        (Signal.ANSWERED, 1),
        (Signal.FAILED, 9),
        (Signal.FAILED, 1),
    ]:
        endpoint.call(signal, times)
        health.append(endpoint.breaker.is_healthy(endpoint.now))
    assert health == [True, True, True, True, False, False]


@settings(max_examples=60, stateful_step_count=60)
class _Calls(RuleBasedStateMachine):
    """Calls begin when they may, overlap, and end in any order and way."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.breaker = Breaker(random.Random(0).uniform)  # noqa: S311 -- a spread, no secret
        self.in_flight: list[tuple[float, bool]] = []

    @rule(seconds=st.sampled_from([0.0, 0.1, 4.0, 75.0, 1e5]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.wait(self.now) == 0.0)
    @rule(calls=st.integers(1, 15))
    def begin(self, calls: int) -> None:
        for _ in range(1 if self.breaker.is_open else calls):
            self.in_flight.append((self.now, self.breaker.granted()))

    @precondition(lambda self: self.in_flight)
    @rule(
        signal=st.sampled_from(Signal),
        which=st.integers(0),
        calls=st.integers(1, 40),
        telling=st.booleans(),
    )
    def end(self, *, signal: Signal, which: int, calls: int, telling: bool) -> None:
        for _ in range(min(calls, len(self.in_flight))):
            began, probe = self.in_flight.pop(which % len(self.in_flight))
            was_open = self.breaker.is_open
            turned = self.breaker.heard(self.now, signal, began=began, probe=probe, telling=telling)
            assert turned is (self.breaker.is_open is not was_open)
            well = signal is Signal.ANSWERED
            assert not (turned and was_open) or (probe and well)
            assert not (turned and self.breaker.is_open and well)

    @precondition(lambda self: any(probe for _, probe in self.in_flight))
    @rule()
    def give_up_the_probe(self) -> None:
        self.in_flight = [(began, probe) for began, probe in self.in_flight if not probe]
        self.breaker.abandoned()

    @invariant()
    def at_most_one_probe_is_under_way_and_only_in_an_outage(self) -> None:
        probes = sum(probe for _, probe in self.in_flight)
        assert probes == (self.breaker.wait(self.now) == inf)
        assert not probes or self.breaker.is_open

    @invariant()
    def the_next_call_is_never_further_off_than_a_minute_and_a_fifth(self) -> None:
        wait = self.breaker.wait(self.now)
        assert 0.0 <= wait <= 72.0 or wait == inf
        assert self.breaker.is_open or wait == 0.0


test_at_most_one_probe_is_ever_under_way = _Calls.TestCase
