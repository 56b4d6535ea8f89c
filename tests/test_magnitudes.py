"""Quantiles in flat memory, and buckets that are told apart by one percent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.magnitudes import Magnitudes


@given(st.lists(st.floats(1e-3, 1e4), min_size=1), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_within_one_percent_of_the_true_one(
    seconds: list[float], share: float
) -> None:
    figures = Magnitudes()
    for one in seconds:
        figures.add(one)
    true = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert figures.quantile(share) == pytest.approx(true, rel=0.01)


def test_of_none_there_is_no_quantile() -> None:
    assert Magnitudes().quantile(0.5) is None
