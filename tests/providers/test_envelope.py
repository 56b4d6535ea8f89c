"""What surrounds an answer goes into its errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, Problem
from batcher.limits import RateLimit, RateLimits
from batcher.providers.envelope import Envelope, one_line

NOW = datetime(2026, 8, 25, tzinfo=UTC)
RESET = "the limit resets at 2026-08-25 07:41:44"


def test_an_error_holds_what_happened_and_when_to_try_again() -> None:
    envelope = Envelope(429, {"retry-after": "3"}, NOW)
    error = envelope.error(ErrorClass.QUOTA_EXHAUSTED, RESET, "1308")
    assert error.problem == Problem(ErrorClass.QUOTA_EXHAUSTED, RESET, "1308", 429)
    assert error.retry_after == 3
    assert error.resets_at == datetime(2026, 8, 24, 23, 41, 44, tzinfo=UTC)


def test_an_error_holds_the_limits_that_its_headers_name() -> None:
    headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}
    error = Envelope(429, headers, NOW).error(ErrorClass.THROTTLED, "slower")
    assert error.rate_limits == RateLimits(RateLimit(60, 0, None), None)
    assert Envelope(429, {}, NOW).error(ErrorClass.THROTTLED, "slower").rate_limits is None


def test_a_moment_in_the_text_of_another_error_is_no_reset() -> None:
    assert Envelope(429, {}, NOW).error(ErrorClass.THROTTLED, RESET).resets_at is None


def test_a_reset_behind_the_end_of_a_shortened_message_is_still_read() -> None:
    error = Envelope(429, {}, NOW).error(ErrorClass.QUOTA_EXHAUSTED, "x" * 900 + RESET)
    assert error.resets_at is not None
    assert RESET not in error.problem.message


@pytest.mark.parametrize(("status", "success"), [(199, 0), (200, 1), (299, 1), (300, 0), (500, 0)])
def test_only_the_two_hundreds_promise_a_completion(status: int, success: int) -> None:
    assert Envelope(status, {}, NOW).is_success == bool(success)


@given(st.text(), st.integers(1, 50))
def test_a_strangers_text_becomes_one_short_printable_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.isprintable()
    line.encode()


def test_text_is_kept_and_what_moves_a_terminal_is_not() -> None:
    assert one_line("  参数有误\r\n\x1b[31m a\u202eb\ud800 ") == "参数有误 [31m a b"


def test_a_long_text_ends_in_a_dot_dot_dot() -> None:
    assert one_line("x" * 501) == "x" * 499 + "…"
    assert one_line("x" * 500) == "x" * 500
