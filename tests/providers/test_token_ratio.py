"""How far the documented ratio is off."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.providers.token_ratio import TokenRatio

Counts = st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 20_000)), min_size=1)


def test_without_a_row_the_documented_ratio_stands() -> None:
    assert TokenRatio.of([]) == TokenRatio(1.0, 0, 0.0, 1.0, 1.0)


def test_one_row_says_nothing_of_the_others_so_that_the_error_is_as_large_as_the_ratio() -> None:
    assert TokenRatio.of([(10, 15)]) == TokenRatio(1.5, 1, 1.5, 1.5, 1.5)


@given(st.lists(st.integers(1, 10_000), min_size=2))
def test_where_all_rows_agree_there_is_no_error(estimates: list[int]) -> None:
    ratio = TokenRatio.of([(one, 2 * one) for one in estimates])
    assert (ratio.value, ratio.error, ratio.low, ratio.high) == (2, 0, 2, 2)


@given(Counts)
def test_the_ratio_makes_the_estimates_of_the_sample_their_counts(
    counts: list[tuple[int, int]],
) -> None:
    ratio = TokenRatio.of(counts)
    estimated, counted = map(sum, zip(*counts, strict=True))
    assert ratio.value * estimated == pytest.approx(counted)
    assert ratio.low <= ratio.high


def test_the_error_holds_for_about_19_of_20_samples() -> None:
    chances = random.Random(7)  # noqa: S311 -- a sample
    rows = [(one, round(one * chances.gauss(1.3, 0.4))) for one in range(20, 2000)]
    true = sum(counted for _, counted in rows) / sum(one for one, _ in rows)
    samples = [TokenRatio.of(chances.sample(rows, 100)) for _ in range(200)]
    held = sum(abs(ratio.value - true) <= ratio.error for ratio in samples)
    assert 180 <= held <= 199
