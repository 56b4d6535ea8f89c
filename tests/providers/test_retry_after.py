"""When to ask again."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.providers.retry_after import reset_moment, retry_after

NOW = datetime(2026, 8, 25, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("0", 0), ("7", 7), (" 7 ", 7), ("1.5", 1.5), (".5", 0.5), ("36000", 36000)),
        ("Tue, 25 Aug 2026 12:00:30 GMT", 30),
        ("Tue, 25 Aug 2026 20:00:30 +0800", 30),
        ("Tue, 25 Aug 2026 12:00:30 -0000", 30),
        ("Tue, 25 Aug 2026 11:00:00 GMT", 0),
        *((bad, None) for bad in ("", " ", "-1", "-0", "nan", "inf", "-inf", "infinity", "1e400")),
        *((bad, None) for bad in ("1e3", "1_000", "0x10", "5s", "9" * 400, "٣", "1,5", ".")),
        *((bad, None) for bad in ("soon", "Tue, 99 Foo 2026 99:99:99 GMT", "25 Aug 99999")),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_garbage_is_ignored(
    value: str, seconds: float | None
) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_milliseconds_win_over_seconds() -> None:
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}, NOW) == 0.25


@pytest.mark.parametrize("garbage", ["", "-5", "nan", "Tue, 25 Aug 2026 12:00:30 GMT"])
def test_garbage_milliseconds_leave_the_seconds(garbage: str) -> None:
    assert retry_after({"retry-after-ms": garbage, "retry-after": "9"}, NOW) == 9


def test_without_a_header_there_is_no_wish() -> None:
    assert retry_after({}, NOW) is None


_DATE_LIKE = st.from_regex(
    r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} -?[0-9]{1,6} [0-9:]{0,9} ?[-+]?[0-9A-Z]{0,6}"
)
_HEADER = st.binary().map(lambda raw: raw.decode("latin-1")) | st.text() | _DATE_LIKE


@given(_HEADER, _HEADER)
def test_any_header_gives_nothing_or_a_finite_wait(milliseconds: str, seconds: str) -> None:
    wait = retry_after({"retry-after-ms": milliseconds, "retry-after": seconds}, NOW)
    assert wait is None or (math.isfinite(wait) and wait >= 0)


@given(st.floats(0, 1e9))
def test_a_number_is_read_as_it_is(seconds: float) -> None:
    assert retry_after({"retry-after": f"{seconds:.9f}"}, NOW) == float(f"{seconds:.9f}")


@pytest.mark.parametrize(
    "message",
    [
        "已达到 5小时的使用上限。您的限额将在 2026-08-25 07:41:44 重置。",
        "Usage limit reached for 5 hour. Your limit will reset at 2026-08-25 07:41:44",
        "resets 2026-08-25T07:41:44.",
    ],
)
def test_the_reset_moment_is_taken_as_utc_plus_8(message: str) -> None:
    assert reset_moment(message) == datetime(2026, 8, 24, 23, 41, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    "message",
    ["", "tomorrow", "2026-13-45 07:41:44", "0000-01-01 00:00:00", "12026-08-25 07:41:44"],
)
def test_a_message_without_a_moment_names_none(message: str) -> None:
    assert reset_moment(message) is None
