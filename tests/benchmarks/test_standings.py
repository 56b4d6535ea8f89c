"""Tables and ratios of rows a second."""

from __future__ import annotations

import pytest

from benchmarks.contenders.roster import (
    AIOHTTP,
    BATCHER,
    BATCHLLM,
    CURATOR,
    HTTPX,
    LITELLM,
    Contender,
)
from benchmarks.entries import Case, Entry, Measured, Result
from benchmarks.process import Cost
from benchmarks.standings import lines, ratios, times

NOTHING = Measured(0, 0, 0, 0.0, Cost(0.0, 0.0, 0.0))


def entry(contender: Contender, *rates: float, lost: int = 0) -> Entry:
    """Return an entry with a run of a second for each rate."""
    runs = (
        Measured(int(rate), int(rate), int(rate) + lost, 0.1, Cost(1.0, 0.5, 64.0))
        for rate in rates
    )
    return Entry(contender, NOTHING, tuple(runs))


WIDE = Result(Case(50, 512, ()), (entry(AIOHTTP, 4000, 5000), entry(BATCHER, 3000, 2500)))
NARROW = Result(
    Case(50, 256, ()),
    (
        entry(BATCHER, 2000, 2400),
        entry(HTTPX, 100, 150),
        entry(BATCHLLM, 400, 380),
        entry(CURATOR, 500, 300),
        Entry(LITELLM, failed="not installed: no such version"),
    ),
)


def test_rounds_are_compared_one_by_one() -> None:
    assert times(WIDE.entries[1], WIDE.entries[0]) == (0.75, 0.5)


def test_rounds_that_one_did_not_reach_are_left_out() -> None:
    assert times(entry(BATCHER, 100, 200), entry(HTTPX, 10)) == (10,)


def test_each_goal_is_compared_with_its_own_rival() -> None:
    bare, httpx, tool = ratios([NARROW, WIDE])
    assert bare.values == pytest.approx((0.75, 0.5))
    assert httpx.values == pytest.approx((20, 16))
    assert tool.values == pytest.approx((4, 8))
    assert "512 in flight" in bare.what
    assert tool.note == "curator; with start 6.00x; by CPU 6.00x"
    assert [ratio.verdict for ratio in (bare, httpx, tool)] == ["met", "met", "met"]


def test_the_fastest_tool_is_the_one_with_the_best_median() -> None:
    slower = Result(NARROW.case, (NARROW.entries[0], entry(BATCHLLM, 410), entry(CURATOR, 400)))
    *_, tool = ratios([slower, WIDE])
    assert tool.note.startswith("batchllm-ai")


def test_a_rival_without_figures_leaves_its_reason() -> None:
    alone = Result(NARROW.case, (entry(BATCHER, 2000), Entry(HTTPX, failed="not installed: why")))
    _, httpx, tool = ratios([alone, WIDE])
    assert (httpx.values, httpx.note) == ((), "not installed: why")
    assert tool.verdict == "not measured"


def test_a_table_shows_everyone_beside_the_bare_loop() -> None:
    head, _, aiohttp, batcher = lines(WIDE)
    assert head == "50 ms server, 512 in flight"
    figures = "batcher 2,750 2,750 2,500 .. 3,000 2,750 0.62 0.183 64 100.0% 0 10% reads,"
    assert batcher.split()[:14] == figures.split()
    assert aiohttp.index("4,000 ..") == batcher.index("2,500 ..")


def test_a_table_counts_lost_calls() -> None:
    *_, line = lines(Result(WIDE.case, (entry(BATCHER, 1000, 1000, lost=2),)))
    assert line.split()[11:13] == ["4", "10%"]


def test_a_table_says_why_a_line_has_no_figures() -> None:
    *_, line = lines(NARROW)
    assert line.split() == ["litellm", *["-"] * 10, "not", "installed:", "no", "such", "version"]
