"""Limits a minute, and the headers that tell of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.simulator.rates import Bucket, Rates, duration


def taken(rates: Rates, tokens: int, now: float, times: int = 1) -> list[bool]:
    return [rates.take(tokens, now) for _ in range(times)]


def test_a_minutes_worth_may_come_at_once_and_after_it_a_steady_stream() -> None:
    rates = Rates(Bucket(60, now=100), None)
    assert taken(rates, 0, 100, times=61) == [True] * 60 + [False]
    assert taken(rates, 0, 100.9) == [False]
    assert taken(rates, 0, 101, times=2) == [True, False]
    assert taken(rates, 0, 104, times=4) == [True, True, True, False]


def test_a_bucket_holds_no_more_than_a_minute() -> None:
    bucket = Bucket(60, now=0)
    bucket.take(60, 0)
    assert bucket.left(30) == 30
    assert bucket.left(3600) == 60


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing() -> None:
    bucket = Bucket(60, now=1000)
    bucket.take(20, 1000)
    assert bucket.left(10) == 40


@given(
    limit=st.integers(1, 5000),
    gaps=st.lists(st.floats(0, 5, allow_nan=False), max_size=60),
    amounts=st.lists(st.integers(0, 50), min_size=60, max_size=60),
)
def test_no_more_is_used_than_a_minute_and_what_came_back_since(
    limit: int, gaps: list[float], amounts: list[int]
) -> None:
    bucket = Bucket(limit, now=0)
    now, used = 0.0, 0
    for gap, amount in zip(gaps, amounts, strict=False):
        now += gap
        if amount <= limit and bucket.holds(amount, now):
            bucket.take(amount, now)
            used += amount
        assert 0 <= bucket.left(now) <= limit
        assert used <= limit + limit * now / 60 + 0.001


def test_both_limits_must_hold_and_a_refused_request_uses_neither() -> None:
    rates = Rates(Bucket(10, now=0), Bucket(100, now=0))
    assert taken(rates, 60, 0, times=2) == [True, False]
    assert rates.requests is not None
    assert rates.requests.left(0) == 9
    assert taken(rates, 40, 0) == [True]
    assert taken(rates, 0, 0, times=9) == [True] * 8 + [False]


def test_a_request_larger_than_a_minute_passes_when_nothing_is_used() -> None:
    rates = Rates(None, Bucket(100, now=0))
    assert taken(rates, 500, 0) == [True]
    assert taken(rates, 500, 59) == [False]
    assert taken(rates, 500, 60) == [True]


def test_without_limits_nothing_is_refused_and_nothing_is_told() -> None:
    rates = Rates(None, None)
    assert taken(rates, 10**9, 0, times=3) == [True] * 3
    assert rates.headers(0) == {}


def test_the_headers_are_those_of_openai() -> None:
    rates = Rates(Bucket(60, now=0), Bucket(150_000, now=0))
    rates.take(16, 0)
    assert rates.headers(0) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "7ms",
    }


def test_a_limit_that_is_not_set_is_not_told() -> None:
    assert set(Rates(None, Bucket(9, now=0)).headers(0)) == {
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.012, "12ms"),
        (0.0121, "13ms"),
        (0.9999, "1s"),
        (1, "1s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (60, "1m0s"),
        (90, "1m30s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text
