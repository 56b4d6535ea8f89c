"""The table of ratios."""

from __future__ import annotations

import pytest

from benchmarks.ratios import Goal, Ratio, Unit, at_least, at_most, table

HALF = at_least(0.5, Unit.TIMES)


@pytest.mark.parametrize(
    ("goal", "good", "bad"),
    [
        (HALF, (0.5, 0.6), (0.49, 0)),
        (at_most(0.01, Unit.SHARE), (0.009, 0.01), (0.011, 1)),
    ],
)
def test_a_bound_is_met_on_its_good_side_and_on_itself(
    goal: Goal, good: tuple[float, ...], bad: tuple[float, ...]
) -> None:
    assert all(map(goal.is_met, good))
    assert not any(map(goal.is_met, bad))


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (Unit.TIMES, "1,234.57x"),
        (Unit.SHARE, "123456.70%"),
        (Unit.SECONDS, "1,234.57 s"),
        (Unit.MEGABYTES, "1,235 MB"),
        (Unit.ROWS_A_SECOND, "1,235 rows/s"),
    ],
)
def test_each_unit_writes_figures_its_own_way(unit: Unit, text: str) -> None:
    assert at_least(0, unit).write(1234.567) == text


def test_the_median_decides_and_the_spread_is_shown() -> None:
    cells = Ratio("batcher / aiohttp", HALF, (0.55, 0.4, 0.7), "50 ms").cells()
    assert cells == (
        "batcher / aiohttp",
        "at least 0.50x",
        "0.55x",
        "0.40x .. 0.70x",
        "met",
        "50 ms",
    )


def test_a_median_on_the_wrong_side_falls_short() -> None:
    assert Ratio("", HALF, (0.4, 0.45, 0.7)).verdict == "SHORT"


def test_what_was_not_measured_says_so() -> None:
    cells = Ratio("batcher / peer", HALF, (), "it does not install").cells()
    assert cells[2:] == ("-", "-", "not measured", "it does not install")


def test_columns_stand_below_their_heads() -> None:
    head, first, second = table(
        [Ratio("short", HALF, (1.0,), "note"), Ratio("a longer line", HALF, ())]
    )
    assert head.index("goal") == first.index("at least") == second.index("at least")
    assert head.index("note") == first.index("note")
    assert not second.endswith(" ")
