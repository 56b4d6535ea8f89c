"""Rounds: who runs when, with how many rows, and what a failure ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.contenders.roster import AIOHTTP, BATCHER, HTTPX2, Contender
from benchmarks.entries import Case, Entry, Measured
from benchmarks.environments import Environment
from benchmarks.load_server import serving
from benchmarks.process import CommandError, Cost
from benchmarks.throughput import cases, compare, measure, play, start

CASE = Case(0, 2, (AIOHTTP, BATCHER, HTTPX2))
START = Measured(1, 1, 1, 0.0, Cost(1.0, 0.1, 10.0))
ENTRIES = [Entry(contender, START) for contender in CASE.contenders]


@dataclass
class Track:
    """A track on which everyone needs two seconds and the start-up; some fall."""

    falls: dict[Contender, int] = field(default_factory=dict)
    ran: list[tuple[str, int]] = field(default_factory=list)

    def attempt(
        self, contender: Contender, rows: int, _latency_ms: int, _in_flight: int
    ) -> Measured:
        self.ran.append((contender.name, rows))
        if sum(name == contender.name for name, _ in self.ran) == self.falls.get(contender):
            raise CommandError("python ended with 1:\nTraceback\nValueError: no")
        return Measured(rows, rows, rows, 0.0, Cost(3.0, 1.0, 10.0))


def test_every_second_round_goes_the_other_way_round() -> None:
    track = Track()
    play(CASE, ENTRIES, 2, 1.0, track.attempt)
    names = [contender.name for contender in CASE.contenders]
    assert [name for name, _ in track.ran] == names + names[::-1]


def test_the_rows_of_a_round_follow_from_the_one_before() -> None:
    """The first follows from a guess, 4,000 a second; in truth it is half of that."""
    track = Track()
    play(CASE, ENTRIES[:1], 3, 1.0, track.attempt)
    assert [rows for _, rows in track.ran] == [4000, 2000, 1000]


def test_who_fails_is_out_and_keeps_the_rounds_before() -> None:
    track = Track(falls={BATCHER: 2})
    _, batcher, httpx2 = play(CASE, ENTRIES, 3, 1.0, track.attempt)
    assert (len(batcher.runs), batcher.failed) == (1, "ValueError: no")
    assert (len(httpx2.runs), httpx2.failed) == (3, "")


def test_the_quickest_of_some_runs_of_one_row_is_the_start() -> None:
    costs = iter([Cost(9.0, 2.0, 10.0), Cost(1.0, 0.5, 10.0)])
    asked = []

    def attempt(contender: Contender, *asks: int) -> Measured:
        asked.append((contender, *asks))
        return Measured(1, 1, 1, 0.0, next(costs))

    found = start(AIOHTTP, attempt).start
    assert found is not None
    assert found.cost == Cost(1.0, 0.5, 10.0)
    assert asked == [(AIOHTTP, 1, 0, 1)] * 2


def test_who_cannot_start_is_out_from_the_beginning() -> None:
    track = Track(falls={AIOHTTP: 1})
    fallen = start(AIOHTTP, track.attempt)
    assert (fallen.start, fallen.failed) == (None, "ValueError: no")
    play(CASE, [fallen], 2, 1.0, track.attempt)
    assert len(track.ran) == 1


def test_who_cannot_be_installed_is_out_from_the_beginning(tmp_path: Path) -> None:
    """Where its environment should be is a file."""
    taken = tmp_path / "tool.txt"
    taken.write_text("tool==1")
    tool = Contender("tool", "", (), 1.0, lambda _folder, _ended: 0, Environment(taken, taken))
    track = Track()
    assert start(tool, track.attempt).failed.startswith("not installed")
    assert not track.ran


@pytest.mark.parametrize("quick", [True, False])
def test_the_cases_of_the_ratios_are_always_there_and_none_twice(*, quick: bool) -> None:
    shapes = [(case.latency_ms, case.in_flight) for case in cases(quick=quick)]
    assert {(50, 512), (50, 256)} <= set(shapes)
    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize("contender", [AIOHTTP, HTTPX2, BATCHER], ids=lambda one: one.name)
def test_a_contender_answers_every_row_with_one_call(contender: Contender, tmp_path: Path) -> None:
    with serving(0, None) as server:
        found = measure(contender, 20, server, 4, tmp_path)
    assert (found.rows, found.answered, found.calls, found.lost) == (20, 20, 20, 0)
    assert found.cost.cpu_s > 0
    assert not list(tmp_path.iterdir())


def test_a_contender_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = Contender("broken", "", ("-c", "1 / 0"), 1.0, lambda _folder, _ended: 0)
    with serving(0, None) as server, pytest.raises(CommandError, match="ZeroDivisionError"):
        measure(broken, 1, server, 1, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_comparison_yields_each_case_with_its_rounds(tmp_path: Path) -> None:
    """Those of the comparison, or its own."""
    cases = [Case(1, 2, (AIOHTTP,)), Case(1, 2, (AIOHTTP,), rounds=1)]
    results = list(compare(cases, rounds=2, seconds=0.001, place=tmp_path))
    entries = [entry for result in results for entry in result.entries]
    assert [entry.failed for entry in entries] == ["", ""]
    assert all(run.answered == run.rows for entry in entries for run in entry.runs)
    assert [len(entry.runs) for entry in entries] == [2, 1]
