"""From what was measured to figures."""

from __future__ import annotations

import pytest

from benchmarks.contenders.roster import AIOHTTP, BATCHER
from benchmarks.entries import Case, Entry, Measured, Result
from benchmarks.process import Cost


def measured(rows: int, wall_s: float, cpu_s: float = 0.0, calls: int | None = None) -> Measured:
    """Return a run that answered every row."""
    cost = Cost(wall_s, cpu_s, peak_mb=100.0)
    return Measured(rows, rows, rows if calls is None else calls, server_cpu_s=1.0, cost=cost)


START = measured(1, wall_s=1.0, cpu_s=0.5)


def test_the_start_up_is_told_apart() -> None:
    entry = Entry(AIOHTTP, START, (measured(101, 2.0, 0.75), measured(101, 3.0, 1.0)))
    assert entry.rates == pytest.approx((100, 50))
    assert entry.whole_rates == pytest.approx((50.5, 101 / 3))
    assert entry.cpu_ms == pytest.approx((2.5, 5))


def test_a_start_up_that_was_slow_takes_no_more_than_three_quarters_off_a_run() -> None:
    run = measured(101, wall_s=0.8, cpu_s=0.4)
    assert run.rate(START) == pytest.approx(100 / 0.2)
    assert run.cpu_ms(START) == pytest.approx(1)


def test_a_run_of_one_row_is_no_faster_than_the_start() -> None:
    assert START.rate(START) == 0


def test_calls_that_left_no_answer_are_lost_and_so_are_second_calls() -> None:
    assert measured(100, 1.0, calls=103).lost == 3


def test_the_share_of_its_core_that_the_server_needed_is_told() -> None:
    assert measured(100, wall_s=4.0).server_busy == 0.25


def test_who_never_started_has_no_figures() -> None:
    entry = Entry(AIOHTTP, failed="not installed")
    assert (entry.rates, entry.whole_rates, entry.cpu_ms) == ((), (), ())


@pytest.mark.parametrize(
    ("case", "rate", "rows"),
    [
        pytest.param(Case(0, 64, ()), 1000, 3000, id="as many as it answers in that time"),
        pytest.param(Case(500, 100, ()), 1000, 600, id="no more than the latency lets through"),
        pytest.param(Case(50, 512, ()), 10, 1024, id="at least two for each call in flight"),
    ],
)
def test_a_contender_gets_rows_for_the_time_it_is_to_be_busy(
    case: Case, rate: float, rows: int
) -> None:
    assert case.rows(rate, seconds=3.0) == rows


def test_an_entry_is_found_by_its_contender_and_empty_where_there_is_none() -> None:
    case = Case(50, 512, (AIOHTTP,))
    entry = Entry(AIOHTTP, START)
    assert Result(case, (entry,)).entry(AIOHTTP) is entry
    assert Result(case, (entry,)).entry(BATCHER) == Entry(BATCHER)
    assert case.name == "50 ms server, 512 in flight"
