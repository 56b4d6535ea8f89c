"""Times as users write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.durations import DURATION, TIME_OF_DAY, seconds_of, seconds_until

ZONE = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("5h", 18_000), ("1h30m", 5400), ("2d1h1m1s", 176_461), ("0s", 0)],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert re.match(DURATION, text)
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-5h", "5 h", "1m1h", "1.5h", "5H", "5h\n"])
def test_what_is_no_duration_is_not_taken_for_one(text: str) -> None:
    assert not re.match(DURATION, text)


@pytest.mark.parametrize("text", ["", "6:00", "24:00", "06:60", "06:00:00", "06:00\n", "0600"])
def test_what_is_no_time_of_day_is_not_taken_for_one(text: str) -> None:
    assert not re.match(TIME_OF_DAY, text)


@given(
    now=st.integers(946_684_800, 4_102_444_800),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
)
def test_the_next_time_of_day_is_within_a_day_and_never_now(
    now: int, hour: int, minute: int
) -> None:
    moment = datetime.fromtimestamp(now, ZONE)
    seconds = seconds_until(f"{hour:02}:{minute:02}", moment)
    assert 0 < seconds <= 86_400
    then = moment + timedelta(seconds=seconds)
    assert (then.hour, then.minute, then.second) == (hour, minute, 0)
