"""Samples: the speed of calls, and how far it can be trusted."""

from __future__ import annotations

import math

import pytest

from batcher.engine.policy.measure import Point, Sample, gain
from tests.overload.virtual import seeded


def test_speed_is_tokens_by_seconds_over_all_calls() -> None:
    sample = Sample()
    sample.add(1.0, 10)
    sample.add(3.0, 70)
    assert (sample.calls, sample.speed) == (2, 20.0)


def test_the_first_calls_may_be_skipped() -> None:
    sample = Sample(skip=2)
    for seconds in (9.0, 9.0, 1.0):
        sample.add(seconds, 10)
    assert (sample.calls, sample.speed) == (1, 10.0)


def test_answers_are_counted_where_tokens_are_not() -> None:
    sample = Sample()
    for _ in range(4):
        sample.add(0.5, 0)
    assert sample.speed == 2.0


def test_no_calls_tell_nothing() -> None:
    assert Sample().error == math.inf


def test_the_length_of_answers_makes_no_error() -> None:
    sample = Sample()
    for tokens in (1, 10, 1000):
        sample.add(tokens / 50, tokens)
    assert sample.error == pytest.approx(0, abs=1e-6)


def test_the_error_is_how_far_samples_differ() -> None:
    """Of a hundred samples about 68 are within one standard error."""
    chance = seeded(1)
    within = 0
    for _ in range(100):
        sample = Sample()
        for _ in range(200):
            tokens = chance.randint(10, 500)
            sample.add(tokens / 50 * chance.uniform(0.5, 1.5), tokens)
        within += abs(sample.speed / 50 - 1) < sample.error
    assert 55 < within < 80


def test_an_answer_in_no_time_is_no_error() -> None:
    sample = Sample()
    sample.add(0.0, 10)
    assert sample.speed > 0


def _sample(calls: int, spread: float) -> Sample:
    """Return a sample whose calls are `spread` slower and faster in turn."""
    sample = Sample()
    for number in range(calls):
        sample.add(1 + spread * (-1) ** number, 50)
    return sample


def test_a_sample_tells_from_a_round_trip_of_calls_on() -> None:
    assert not Sample().tells(1, roughly=True)
    assert not _sample(15, 0).tells(1, roughly=True)
    assert _sample(16, 0).tells(1, roughly=False)
    assert not _sample(99, 0).tells(100, roughly=True)
    assert _sample(100, 0).tells(100, roughly=False)


def test_a_large_effect_is_told_by_a_rough_sample_and_a_small_one_by_a_fine_one() -> None:
    rough = _sample(20, 0.4)
    assert rough.error == pytest.approx(0.09, abs=0.01)
    assert rough.tells(20, roughly=True)
    assert not rough.tells(20, roughly=False)


def test_calls_that_differ_without_end_are_not_measured_without_end() -> None:
    assert not _sample(12 * 16 - 1, 0.9).tells(4, roughly=False)
    assert _sample(12 * 16, 0.9).tells(4, roughly=False)


@pytest.mark.parametrize(("limit", "expected"), [(10, 250.0), (40, 1000.0), (80, 1000.0)])
def test_fewer_calls_are_expected_to_give_less_in_proportion(limit: int, expected: float) -> None:
    assert Point(40, 1000.0).expected(limit) == expected


@pytest.mark.parametrize(
    ("here", "gained"),
    [
        (Point(80, 2000.0), 1.0),
        (Point(80, 1500.0), 0.5),
        (Point(80, 1000.0), 0.0),
        (Point(80, 500.0), -0.5),
        (Point(40, 2000.0), 0.0),
    ],
)
def test_a_gain_is_measured_by_that_on_an_idle_server(here: Point, gained: float) -> None:
    assert gain(Point(40, 1000.0), here) == gained
