"""How many tokens a call will use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.policy.forecast import Forecast
from batcher.records import Usage

_COUNTS = st.integers(0, 10**6)


def _learned(*calls: tuple[int, int | None, int | None]) -> Forecast:
    forecast = Forecast()
    for estimate, prompt, completion in calls:
        forecast.learn(estimate, Usage(prompt, completion))
    return forecast


def test_before_the_first_answer_it_takes_the_estimate_and_a_short_answer() -> None:
    assert Forecast().tokens(1000, None) == 1256


@pytest.mark.parametrize(("most", "tokens"), [(100, 1100), (0, 1000), (4096, 1256)])
def test_no_answer_is_expected_to_be_longer_than_the_longest_that_is_asked_for(
    most: int, tokens: int
) -> None:
    assert Forecast().tokens(1000, most) == tokens


def test_the_first_answer_says_how_long_answers_are_and_how_far_estimates_are_off() -> None:
    assert _learned((1000, 1500, 700)).tokens(100, None) == 150 + 700


def test_later_answers_shift_it_slowly() -> None:
    assert _learned((1000, 1000, 100), (1000, 2000, 200)).tokens(1000, None) == 1050 + 105


def test_usage_that_says_nothing_teaches_nothing() -> None:
    assert _learned((1000, None, None)).tokens(1000, None) == 1256
    assert _learned((1000, 1500, 700), (9, None, None)).tokens(100, None) == 150 + 700


@pytest.mark.parametrize(("estimate", "counted"), [(0, 50), (10, 0)])
def test_a_prompt_of_nothing_leaves_the_estimate_as_it_is(estimate: int, counted: int) -> None:
    assert _learned((estimate, counted, 100)).tokens(1000, None) == 1100


def test_what_a_provider_adds_to_a_short_prompt_does_not_blow_up_a_long_one() -> None:
    forecast = _learned((1000, 1400, 0), *[(1, 401, 0)] * 3)
    assert forecast.tokens(1000, 0) == pytest.approx(1450, abs=50)


@given(
    calls=st.lists(st.tuples(st.integers(1, 10**6), _COUNTS, _COUNTS), min_size=1, max_size=30),
    prompt=st.integers(0, 10**6),
)
def test_answers_are_expected_within_what_was_seen(
    calls: list[tuple[int, int, int]], prompt: int
) -> None:
    forecast = _learned(*calls)
    completions = [completion for _, _, completion in calls]
    assert min(completions) <= forecast.tokens(0, None) <= max(completions)
    ratios = [1.0, *(counted / estimate for estimate, counted, _ in calls)]
    within = [prompt * ratio for ratio in (min(ratios), max(ratios))]
    assert within[0] - 1 <= forecast.tokens(prompt, 0) <= within[1] + 1


@given(st.integers(1, 10**6), _COUNTS, _COUNTS)
def test_calls_that_are_all_alike_are_foreseen(estimate: int, prompt: int, completion: int) -> None:
    forecast = _learned(*[(estimate, prompt or 1, completion)] * 30)
    assert forecast.tokens(estimate, None) == pytest.approx((prompt or 1) + completion, abs=1)
