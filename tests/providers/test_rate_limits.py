"""What is left of a provider's limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.limits import RateLimit, RateLimits
from batcher.providers.rate_limits import rate_limits


def _headers(what: str, limit: str, remaining: str, reset: str) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": limit,
        f"x-ratelimit-remaining-{what}": remaining,
        f"x-ratelimit-reset-{what}": reset,
    }


def test_limits_of_requests_and_of_tokens_are_read_from_their_headers() -> None:
    headers = _headers("requests", "60", "59", "1s")
    requests = RateLimit(60, 59, 1.0)
    assert rate_limits(headers) == RateLimits(requests, None)
    headers |= _headers("tokens", "150000", " 149984 ", "6m0s")
    assert rate_limits(headers) == RateLimits(requests, RateLimit(150_000, 149_984, 360.0))


@pytest.mark.parametrize("headers", [{}, {"retry-after": "3"}, {"x-ratelimit-limit": "60"}])
def test_other_headers_tell_of_no_limits(headers: dict[str, str]) -> None:
    assert rate_limits(headers) is None


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        *(("12ms", 0.012), ("1s", 1), ("6m0s", 360), ("1h2m3s", 3723), ("8.64s", 8.64)),
        *(("2h", 7200), ("5m", 300), ("1m12ms", 60.012), ("0s", 0), (" 1s ", 1)),
        *(("20", 20), ("1.5", 1.5), ("0", 0)),
        *((bad, None) for bad in ("", "soon", "-1s", "s", "1d", "1s2m", "1m30", "1e3", "nan")),
        *((bad, None) for bad in ("1 s", "inf", "9" * 400, "9" * 400 + "s", "1.s", "٣s")),
    ],
)
def test_a_reset_is_a_duration_or_seconds_and_garbage_counts_as_not_sent(
    reset: str, seconds: float | None
) -> None:
    limits = rate_limits(_headers("tokens", "10", "0", reset))
    assert limits is not None
    assert limits.tokens is not None
    assert limits.tokens.reset_s == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("garbage", ["", "-1", "1.5", "many", "٣", "9" * 400, "1_000"])
def test_a_limit_without_a_readable_size_or_rest_counts_as_not_sent(garbage: str) -> None:
    assert rate_limits(_headers("tokens", garbage, "1", "1s")) is None
    assert rate_limits(_headers("tokens", "1", garbage, "1s")) is None


def test_a_limit_that_allows_nothing_at_all_counts_as_not_sent() -> None:
    assert rate_limits(_headers("requests", "0", "0", "1s")) is None


_COUNT = st.text() | st.integers().map(str)
_RESET = st.text() | st.from_regex(r"([0-9.]{1,12}(h|m|s|ms)?){1,4}")


@given(_COUNT, _COUNT, _RESET)
def test_any_header_gives_nothing_or_finite_counts(limit: str, left: str, reset: str) -> None:
    limits = rate_limits(_headers("tokens", limit, left, reset))
    if limits is not None:
        assert limits.tokens is not None
        assert limits.tokens.limit > 0
        assert limits.tokens.remaining >= 0
        seconds = limits.tokens.reset_s
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
