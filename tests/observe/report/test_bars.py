"""Histograms on a logarithmic axis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.magnitudes import Magnitudes, magnitude
from batcher.observe.report.bars import bars, figure, quantiles
from tests.reported import magnitudes


def test_no_figures_make_no_bars_and_no_quantiles() -> None:
    assert bars(Magnitudes())[0] == {}
    assert quantiles(Magnitudes()) == {}


@given(st.lists(st.floats(0.001, 1e6), min_size=1))
def test_every_figure_stands_in_one_bar_of_few_that_have_no_gap(figures: list[float]) -> None:
    found, wide = bars(magnitudes(*figures))
    assert sum(found.values()) == len(figures)
    assert len(found) <= 34
    assert [b - a for a, b in zip(found, list(found)[1:], strict=False)] == [wide] * (
        len(found) - 1
    )
    for value in figures:
        assert any(at <= magnitude(value) < at + wide for at in found)


def test_figures_of_0_have_no_bar_but_count_in_quantiles() -> None:
    found = magnitudes(0, 0, 0, 5)
    assert sum(bars(found)[0].values()) == 1
    assert figure(quantiles(found)["p50"]) == "0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.27, "0.270"),
        (1.254, "1.25"),
        (12.34, "12.3"),
        (1234.5, "1,234"),
    ],
)
def test_figures_have_three_digits_that_count(value: float, text: str) -> None:
    assert figure(value) == text


def test_whole_figures_have_no_decimals() -> None:
    assert figure(7.04, whole=True) == "7"
