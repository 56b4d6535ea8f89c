"""Rates that are kept."""

from __future__ import annotations

from itertools import accumulate, cycle, islice, repeat

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batcher.engine.policy.budget import Budget
from batcher.limits import RateLimit

# A machine that has been up for months: its clock tells fewer fractions of a second.
_NOW = 1e7
_RATES = st.integers(1, 10**7)
_ANY_INT = st.integers(-(10**18), 10**18)
_RESETS = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
_LIMITS = st.builds(RateLimit, _ANY_INT, _ANY_INT, _RESETS)


def _wait(budget: Budget, now: float) -> float:
    """Wait as long as it takes; return the moment when it is over, at the first look."""
    now += budget.wait(now)
    assert budget.wait(now) == 0.0
    return now


def _minutes(budget: Budget, amounts: list[int], pauses: list[float]) -> list[list[int]]:
    """Take 150 amounts, each as soon as it may be after a pause; lists come round again.

    Return what each window of 60 s took that begins with a call.
    """
    now, taken = _NOW, list[tuple[float, int]]()
    for amount, pause in islice(zip(cycle(amounts), cycle(pauses), strict=True), 150):
        now = _wait(budget, now + pause)
        budget.take(now, amount)
        taken.append((now, amount))
    return [
        [amount for at, amount in taken[first:] if at <= begin + 60.0]
        for first, (begin, _) in enumerate(taken)
    ]


_pauses = st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.7, 13.0, 61.0]), min_size=1, max_size=30)


@settings(max_examples=40)
@given(st.integers(1, 140), _pauses)
@example(100, [0.0])
def test_no_minute_sees_more_requests_than_the_rate_wherever_it_begins(
    rate: int, pauses: list[float]
) -> None:
    assert max(map(len, _minutes(Budget(rate), [1], pauses))) <= rate


@settings(max_examples=40)
@given(
    st.integers(100, 100_000), st.lists(st.integers(1, 20_000), min_size=1, max_size=20), _pauses
)
def test_no_minute_sees_more_tokens_than_the_rate_but_for_its_last_call(
    rate: int, amounts: list[int], pauses: list[float]
) -> None:
    assert all(sum(minute[:-1]) <= rate for minute in _minutes(Budget(rate), amounts, pauses))


@pytest.mark.parametrize("rate", [1, 10, 60, 500, 3000])
def test_ten_minutes_see_98_percent_of_the_rate(rate: int) -> None:
    budget, now, requests = Budget(rate), _NOW, 0
    while (now := _wait(budget, now)) <= _NOW + 600:
        budget.take(now, 1)
        requests += 1
    assert 0.98 * 10 * rate <= requests <= 10 * rate


@settings(max_examples=20)
@given(st.integers(10_000, 1_000_000), st.integers(1, 5000))
def test_tokens_taken_on_credit_lose_no_more(rate: int, amount: int) -> None:
    budget, now, tokens = Budget(rate), _NOW, 0
    while (now := _wait(budget, now)) <= _NOW + 600:
        budget.take(now, max(amount, rate // 200))
        tokens += max(amount, rate // 200)
    assert tokens >= 0.98 * 10 * rate


@given(
    rate=st.one_of(st.none(), _RATES),
    now=st.floats(0, 1e9),
    amount=st.integers(0, 10**7),
    learned=st.lists(_LIMITS, max_size=3),
)
def test_a_wait_that_was_waited_is_over_at_the_first_look(
    rate: int | None, now: float, amount: int, learned: list[RateLimit]
) -> None:
    budget = Budget(rate)
    for limit in learned:
        budget.learn(limit, now)
    budget.take(now, amount)
    _wait(budget, now)


@given(
    rate=st.one_of(st.none(), _RATES),
    steps=st.lists(st.one_of(_LIMITS, st.integers(-(10**9), 10**9)), max_size=20),
)
def test_whatever_a_provider_says_and_calls_take_nobody_waits_for_more_than_two_minutes(
    rate: int | None, steps: list[RateLimit | int]
) -> None:
    budget = Budget(rate)
    for step in steps:
        if isinstance(step, int):
            budget.take(_NOW, step)
        else:
            assert 0.0 <= budget.learn(step, _NOW) <= 86_400.0
        assert 0.0 <= budget.wait(_NOW) <= 122.0


@given(_RATES, st.lists(_LIMITS, max_size=10))
def test_what_is_learned_never_exceeds_the_users_own(rate: int, limits: list[RateLimit]) -> None:
    budget = Budget(rate)
    for limit in limits:
        budget.learn(limit, _NOW)
        assert budget.per_minute is not None
        assert 1 <= budget.per_minute <= rate


def test_without_a_limit_all_is_let_through_until_a_provider_names_one() -> None:
    budget = Budget()
    budget.take(_NOW, 10**9)
    assert budget.wait(_NOW) == 0.0
    budget.learn(RateLimit(limit=60, remaining=59, reset_s=1.0), _NOW)
    assert budget.wait(_NOW) == 0.0
    budget.take(_NOW, 1)
    assert budget.wait(_NOW) == pytest.approx(1 / 0.99)


def test_a_limit_that_falls_or_rises_is_followed() -> None:
    budget = Budget(100)
    for limit, per_minute in [(50, 50), (80, 80), (1000, 100)]:
        budget.learn(RateLimit(limit, remaining=limit), _NOW)
        assert budget.per_minute == per_minute


def test_at_one_request_a_minute_the_second_waits_for_a_minute() -> None:
    budget = Budget(1)
    assert budget.wait(_NOW) == 0.0
    budget.take(_NOW, 1)
    assert budget.wait(_NOW) == pytest.approx(60 / 0.99)
    assert budget.wait(_NOW + 30) == pytest.approx(60 / 0.99 - 30)
    assert budget.wait(_NOW + 60.7) == 0.0


def test_what_was_taken_and_not_used_is_given_back() -> None:
    budget = Budget(6000)
    budget.take(_NOW, 1000)
    assert budget.wait(_NOW) > 9
    budget.take(_NOW, -1000)
    assert budget.wait(_NOW) == 0.0


def test_what_is_given_back_twice_makes_no_burst() -> None:
    budget = Budget(6000)
    budget.take(_NOW, -(10**6))
    budget.take(_NOW, 50)
    assert budget.wait(_NOW) > 0.0


def test_a_process_that_stood_still_for_hours_bursts_no_more_than_at_its_begin() -> None:
    budget = Budget(1200)
    for now in (_NOW, _NOW + 36_000.0):
        for _ in range(10):
            assert budget.wait(now) == 0.0
            budget.take(now, 1)
        assert budget.wait(now) > 0.0


def test_a_clock_that_stands_still_fills_nothing() -> None:
    budget = Budget(60)
    budget.take(_NOW, 1)
    waits = set(map(budget.wait, repeat(_NOW, 100)))
    assert len(waits) == 1
    assert min(waits) > 1.0


def test_looking_often_fills_no_more_than_looking_once() -> None:
    budget = Budget(60)
    budget.take(_NOW, 1)
    for now in accumulate(repeat(0.001, 500), initial=_NOW):
        budget.wait(now)
    assert budget.wait(_NOW + 0.5) == pytest.approx(1 / 0.99 - 0.5, abs=1e-6)


def test_no_more_than_a_minute_is_owed() -> None:
    budget = Budget(1000)
    budget.take(_NOW, 50_000)
    assert budget.wait(_NOW) == pytest.approx(1001 / 1000 * 60 / 0.99)


def test_a_debt_of_tokens_shrinks_with_a_limit_that_is_learned() -> None:
    budget = Budget()
    budget.learn(RateLimit(100_000, 90_000), _NOW)
    budget.take(_NOW, 3000)
    budget.learn(RateLimit(1, 0), _NOW)
    assert budget.wait(_NOW) <= 122.0


def test_a_provider_that_has_less_left_than_the_bucket_is_believed() -> None:
    budget = Budget(6000)
    budget.learn(RateLimit(6000, remaining=0, reset_s=60.0), _NOW)
    assert budget.wait(_NOW) == pytest.approx(0.01 / 0.99)


@pytest.mark.parametrize("remaining", [1000, 5999])
def test_a_provider_that_has_more_left_than_the_bucket_changes_nothing(remaining: int) -> None:
    budget = Budget(6000)
    budget.take(_NOW, 80)
    before = budget.wait(_NOW)
    budget.learn(RateLimit(6000, remaining, reset_s=60.0), _NOW)
    assert budget.wait(_NOW) == before


def test_a_limit_of_a_day_is_not_paced_but_waited_for_once_it_is_used_up() -> None:
    budget = Budget()
    assert budget.learn(RateLimit(1000, 1, reset_s=7200.0), _NOW) == 0.0
    assert budget.learn(RateLimit(1000, 0, reset_s=7200.0), _NOW) == 7200.0
    assert budget.per_minute is None


@pytest.mark.parametrize(
    ("reset_s", "wait", "per_minute"),
    [(90.0, 0.0, 1000), (90.5, 90.5, None), (86_400.0, 86_400.0, None), (86_401.0, 0.0, None)],
)
def test_what_is_whole_again_in_90_s_is_paced_and_in_more_than_a_day_is_garbage(
    reset_s: float, wait: float, per_minute: float | None
) -> None:
    budget = Budget()
    assert budget.learn(RateLimit(1000, 0, reset_s), _NOW) == wait
    assert budget.per_minute == per_minute


@pytest.mark.parametrize(
    "garbage",
    [
        RateLimit(limit=0, remaining=0),
        RateLimit(limit=0, remaining=0, reset_s=3600.0),
        RateLimit(limit=-5, remaining=-5, reset_s=1.0),
        RateLimit(limit=100, remaining=0, reset_s=1e9),
        RateLimit(limit=100, remaining=-1, reset_s=float("inf")),
    ],
)
def test_garbage_is_ignored(garbage: RateLimit) -> None:
    budget = Budget()
    assert budget.learn(garbage, _NOW) == 0.0
    assert budget.per_minute is None


def test_less_than_nothing_left_is_nothing_left() -> None:
    budget = Budget()
    budget.learn(RateLimit(limit=60, remaining=-5, reset_s=float("nan")), _NOW)
    assert budget.wait(_NOW) == pytest.approx(1 / 0.99)
