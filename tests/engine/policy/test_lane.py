"""The rules of one key and model, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.policy.breaker import Breaker
from batcher.engine.policy.budget import Budget
from batcher.engine.policy.lane import Account, Lane, Pass
from batcher.engine.policy.limit import FixedLimit, Grant
from batcher.engine.policy.signal import Signal
from batcher.errors import ErrorClass, Problem
from batcher.limits import RateLimit, RateLimits
from batcher.records import Completion, Request

_NOW = 1000.0
_PROBLEM = Problem(ErrorClass.OVERLOADED, "overloaded")


async def _call(request: Request, request_id: str) -> Completion:
    raise AssertionError((request, request_id))


def _account() -> Account:
    return Account(1, _call, lambda: None)


@dataclass
class _Limit:
    """A limit that keeps what it hears."""

    limit: int = 100
    interval: float = 0.0
    heard: list[tuple[str, object]] = field(default_factory=list)

    def grant(self, in_flight: int) -> Grant:
        return Grant(7, in_flight, self.limit)

    def completed(self, grant: Grant, seconds: float, tokens: int) -> None:
        self.heard.append(("completed", (grant.number, seconds, tokens)))

    def refused(self, grant: Grant) -> None:
        self.heard.append(("refused", grant.number))

    def lost(self, grant: Grant) -> None:
        self.heard.append(("lost", grant.number))

    def restart(self) -> None:
        self.heard.append(("restart", None))


def _lane(
    limit: FixedLimit | _Limit | None = None,
    *,
    rpm: float | None = None,
    tpm: float | None = None,
    account: Account | None = None,
) -> Lane:
    return Lane(
        account or _account(),
        "glm",
        limit or FixedLimit(100),
        Breaker(lambda low, high: (low + high) / 2),
        Budget(rpm),
        Budget(tpm),
    )


def _fail(lane: Lane, now: float, signal: Signal = Signal.FAILED, times: int = 1) -> list[bool]:
    """Make calls that fail so; return which of them turned the breaker."""
    turned = []
    for _ in range(times):
        way = lane.admit(now, 0)
        turned.append(lane.failed(now, way, signal, telling=True))
        lane.leave()
    return turned


def test_an_account_is_paused_until_its_pause_is_over() -> None:
    account = _account()
    lane = _lane(account=account)
    assert account.pause(_NOW, 10)
    assert lane.wait(_NOW) == 10
    assert lane.wait(_NOW + 9) == 1
    assert lane.wait(_NOW + 10) == 0.0


def test_a_second_pause_lengthens_the_first_and_is_no_news() -> None:
    account = _account()
    account.pause(_NOW, 10)
    assert not account.pause(_NOW + 5, 10)
    assert account.paused_until == _NOW + 15


def test_a_second_pause_never_shortens_the_first() -> None:
    account = _account()
    account.pause(_NOW, 10)
    assert not account.pause(_NOW + 5, 5)
    assert account.paused_until == _NOW + 10


def test_a_pause_after_the_first_is_over_is_news_again() -> None:
    account = _account()
    account.pause(_NOW, 10)
    assert account.pause(_NOW + 10, 1)


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_pause_of_no_length_is_none(seconds: float) -> None:
    account = _account()
    assert not account.pause(_NOW, seconds)
    assert account.paused_until == 0.0


def test_a_pause_of_an_account_holds_for_all_its_models() -> None:
    account = _account()
    lanes = [_lane(account=account), _lane(account=account)]
    account.pause(_NOW, 10)
    assert [lane.wait(_NOW) for lane in lanes] == [10, 10]


def _paused(lane: Lane) -> float:
    lane.account.pause(_NOW, 11.0)
    return 11.0


def _broken(lane: Lane) -> float:
    _fail(lane, _NOW, times=10)
    return 5.0


def _full(lane: Lane) -> float:
    for _ in range(100):
        lane.admit(_NOW, 0)
    return inf


def _closed(lane: Lane) -> float:
    lane.closed = _PROBLEM
    return inf


def _set_aside(lane: Lane) -> float:
    lane.account.set_aside = _PROBLEM
    return inf


def _out_of_requests(lane: Lane) -> float:
    lane.requests.learn(RateLimit(60, 0), _NOW)
    return lane.requests.wait(_NOW)


def _out_of_tokens(lane: Lane) -> float:
    lane.tokens.learn(RateLimit(60, 60), _NOW)
    lane.tokens.take(_NOW, 30)
    return lane.tokens.wait(_NOW)


_HINDRANCES = [_paused, _broken, _full, _closed, _set_aside, _out_of_requests, _out_of_tokens]


@given(st.sets(st.sampled_from(_HINDRANCES)))
def test_a_lane_waits_for_the_last_of_all_that_hinders_it_and_else_not_at_all(
    hindrances: set[Callable[[Lane], float]],
) -> None:
    lane = _lane()
    waits = [hinder(lane) for hinder in _HINDRANCES if hinder in hindrances]
    assert lane.wait(_NOW) == max(waits, default=0.0)
    if waits and max(waits) < inf:
        assert lane.wait(_NOW + max(waits) - 0.1) > 0.0
        assert lane.wait(_NOW + max(waits)) == 0.0


@pytest.mark.parametrize("hinder", [_closed, _set_aside])
def test_what_is_closed_or_set_aside_is_never_usable_again(
    hinder: Callable[[Lane], float],
) -> None:
    lane = _lane()
    hinder(lane)
    assert not lane.is_usable
    assert lane.wait(_NOW + 1e9) == inf


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=40))
def test_it_lets_through_exactly_as_many_calls_as_the_limit_says(
    limit: int, begins: list[bool]
) -> None:
    lane, in_flight = _lane(FixedLimit(limit)), 0
    for begin in begins:
        assert (lane.wait(_NOW) == 0.0) is lane.is_free is (in_flight < limit)
        if begin and in_flight < limit:
            in_flight += 1
            assert lane.admit(_NOW, 0).grant == Grant(0, in_flight, limit)
        elif not begin and in_flight:
            in_flight -= 1
            lane.leave()
    assert lane.in_flight == in_flight


def test_where_one_at_a_time_is_too_many_calls_keep_their_distance() -> None:
    lane = _lane(_Limit(interval=2.0))
    assert lane.wait(_NOW) == 0.0
    lane.admit(_NOW, 0)
    assert lane.wait(_NOW + 0.5) == 1.5
    assert lane.wait(_NOW + 2.0) == 0.0


def test_a_call_takes_from_both_budgets() -> None:
    lane = _lane(rpm=60, tpm=60)
    way = lane.admit(_NOW, 20)
    assert way == Pass(Grant(0, 1, 100), _NOW, tokens=20, probe=False)
    assert lane.requests.wait(_NOW) == pytest.approx(1 / 0.99)
    assert lane.tokens.wait(_NOW) == pytest.approx(20 / 0.99)


def test_an_answer_is_told_to_the_limit_and_reconciles_tokens_with_what_it_used() -> None:
    limit = _Limit()
    lane = _lane(limit, tpm=6000)
    way = lane.admit(_NOW, 1000)
    assert not lane.answered(_NOW + 2.5, way, 1300)
    assert limit.heard == [("completed", (7, 2.5, 1300))]
    assert lane.tokens.wait(_NOW + 2.5) == pytest.approx((1300 - 50 + 1) / 99 - 2.5)


@pytest.mark.parametrize(
    ("signal", "heard"),
    [
        (Signal.ANSWERED, []),
        (Signal.THROTTLED, [("refused", 7)]),
        (Signal.LOST, [("lost", 7)]),
        (Signal.FAILED, []),
    ],
)
def test_throttles_and_losses_are_the_limits_business_and_other_failures_are_not(
    signal: Signal, heard: list[tuple[str, object]]
) -> None:
    limit = _Limit()
    lane = _lane(limit)
    _fail(lane, _NOW, signal)
    assert limit.heard == heard
    assert lane.throttled == (signal is Signal.THROTTLED)


@pytest.mark.parametrize("signal", Signal)
def test_only_what_was_lost_may_have_used_its_tokens(signal: Signal) -> None:
    lane = _lane(tpm=6000)
    way = lane.admit(_NOW, 1000)
    lane.failed(_NOW, way, signal, telling=True)
    assert (lane.tokens.wait(_NOW) > 0.0) is (signal is Signal.LOST)


def test_after_an_outage_the_limit_begins_anew() -> None:
    limit = _Limit()
    lane = _lane(limit)
    assert _fail(lane, _NOW, times=10) == [False] * 9 + [True]
    turned = []
    for _ in range(3):
        probe = lane.admit(_NOW + 5, 0)
        assert probe.probe
        assert lane.wait(_NOW + 5) == inf
        turned.append(lane.answered(_NOW + 5, probe, 10))
    assert turned == [False, False, True]
    assert [heard for heard, _ in limit.heard] == ["completed"] * 3 + ["restart"]
    assert not lane.admit(_NOW + 5, 0).probe


def test_calls_that_an_outage_swallowed_do_not_open_the_breaker_after_it() -> None:
    lane = _lane()
    swallowed = [lane.admit(_NOW - 60, 0) for _ in range(50)]
    _fail(lane, _NOW, times=10)
    for _ in range(3):
        lane.answered(_NOW + 5, lane.admit(_NOW + 5, 0), 10)
    for way in swallowed:
        assert not lane.failed(_NOW + 6, way, Signal.LOST, telling=True)
    assert lane.wait(_NOW + 6) == 0.0


def test_a_suspect_rows_failures_do_not_open_the_breaker() -> None:
    lane = _lane()
    for _ in range(100):
        assert not lane.failed(_NOW, lane.admit(_NOW, 0), Signal.FAILED, telling=False)
        lane.leave()
    assert lane.wait(_NOW) == 0.0


@pytest.mark.parametrize(
    ("limits", "wait"),
    [
        (None, 0.0),
        (RateLimits(), 0.0),
        (RateLimits(requests=RateLimit(60, 10), tokens=RateLimit(600, 100)), 0.0),
        (RateLimits(requests=RateLimit(60, 0, 7200.0)), 7200.0),
        (RateLimits(RateLimit(60, 0, 7200.0), RateLimit(600, 0, 3600.0)), 7200.0),
        (RateLimits(RateLimit(60, 0, 1800.0), RateLimit(600, 0, 3600.0)), 3600.0),
    ],
)
def test_of_limits_that_are_used_up_the_longer_is_waited_for(
    limits: RateLimits | None, wait: float
) -> None:
    assert _lane().learn(_NOW, limits) == wait


def test_each_budget_learns_its_own_limit() -> None:
    lane = _lane()
    lane.learn(_NOW, RateLimits(requests=RateLimit(60, 10)))
    lane.learn(_NOW, RateLimits(tokens=RateLimit(600, 100)))
    assert (lane.requests.per_minute, lane.tokens.per_minute) == (60, 600)
