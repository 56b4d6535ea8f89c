"""What stands above the tables."""

from __future__ import annotations

from benchmarks.compare import ceiling, machine
from benchmarks.contenders.roster import AIOHTTP
from benchmarks.entries import Case, Entry, Measured, Result
from benchmarks.process import Cost

CASE = Case(0, 64, (AIOHTTP,))


def test_figures_belong_to_a_machine() -> None:
    text = "\n".join(machine())
    assert "Linux" in text
    assert "Python 3." in text
    assert "core" in text


def test_the_ceiling_of_the_server_stands_beside_what_was_got_out_of_it() -> None:
    start = Measured(1, 1, 1, 0.0, Cost(1.0, 0.5, 40.0))
    run = Measured(10_001, 10_001, 10_000, 0.2, Cost(2.0, 1.0, 40.0))
    text = ceiling(Result(CASE, (Entry(AIOHTTP, start, (run,)),)))
    assert text.startswith("server: 20 CPU microseconds a call, so 50,000 calls a second")
    assert "aiohttp got 10,000" in text


def test_a_ceiling_that_was_not_measured_says_why() -> None:
    assert "ended with 1" in ceiling(Result(CASE, (Entry(AIOHTTP, failed="ended with 1"),)))
