"""Figures from a ledger."""

from __future__ import annotations

import pytest

from batcher.errors import ErrorClass
from tests.overload.ledger import Entry, Ledger, steps

LEDGER = Ledger(
    [
        Entry(0, "key", 0.0, 100, 4.0, arrived=1.0, left=9.0, ended=10.0),
        Entry(1, "key", 2.0, 0, 1.0, ended=3.0, verdict=ErrorClass.THROTTLED),
        Entry(1, "key", 5.0, 200, 4.0, arrived=6.0, left=10.0, ended=11.0),
    ]
)


def test_a_figure_changes_at_its_moments() -> None:
    limit = steps(40, (10, 20), (20, 80))
    assert [limit(now) for now in (0, 9.9, 10, 19, 20, 1e9)] == [40, 40, 20, 20, 80, 80]


def test_calls_belong_to_the_moment_they_were_sent_at() -> None:
    assert LEDGER.calls() == 3
    assert LEDGER.calls(2, 5) == 1
    assert LEDGER.attempts(1) == 2


def test_a_verdict_has_its_share_of_the_calls() -> None:
    assert LEDGER.share(ErrorClass.THROTTLED) == pytest.approx(1 / 3)
    assert LEDGER.share(ErrorClass.THROTTLED, 3) == 0
    assert LEDGER.share(ErrorClass.THROTTLED, 99) == 0


def test_completions_belong_to_the_moment_they_ended_at() -> None:
    assert [entry.row for entry in LEDGER.completed(10.5)] == [1]
    assert LEDGER.answered() == {0, 1}
    assert LEDGER.tokens_a_second(0, 20) == 15


def test_what_is_in_flight_is_averaged_over_time() -> None:
    assert LEDGER.in_flight(0, 12) == 1.0
    assert LEDGER.in_flight(6, 9) == 2.0


def test_slowdown_is_against_an_unloaded_server() -> None:
    assert LEDGER.slowdown() == 2.0
