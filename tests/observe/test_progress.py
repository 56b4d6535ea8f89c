"""The bar, drawn on text that stands for a terminal."""

from __future__ import annotations

import io

import pytest

from batcher.limits import Flow
from batcher.observe import ProgressBar, Tally
from batcher.records import Attempt
from tests.engines import exchange


class _Terminal(io.StringIO):
    """Keeps what was drawn."""

    def isatty(self) -> bool:
        return True

    @property
    def drawn(self) -> str:
        """The bar as it stands now."""
        return self.getvalue().rstrip("\n").rpartition("\r")[2]


class _Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def terminal() -> _Terminal:
    return _Terminal()


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


def test_it_shows_rows_rates_errors_retries_and_calls_in_flight(
    terminal: _Terminal, clock: _Clock
) -> None:
    tally = Tally(total=200)
    bar = ProgressBar(terminal, clock)
    bar.started(tally, lambda: Flow(6, 8))
    tally.results, tally.failures, tally.retries = 47, 3, 4
    tally.prompt_tokens, tally.completion_tokens = 20_000, 5_000
    clock.now += 10
    bar.attempted(1, exchange(Attempt(1, "request", 0.0, 1.0)))
    bar.pulse()
    assert "25%" in terminal.drawn
    assert "50/200" in terminal.drawn
    assert "row/s" in terminal.drawn
    assert terminal.drawn.endswith("2,500 tok/s, errors 3, retries 4, in flight 6 of 8]")
    bar.finished()


def test_a_total_that_is_not_counted_yet_is_taken_over_when_it_is(
    terminal: _Terminal, clock: _Clock
) -> None:
    tally = Tally()
    bar = ProgressBar(terminal, clock)
    bar.started(tally, lambda: Flow(0, 8))
    tally.results = 5
    bar.pulse()
    assert "5row" in terminal.drawn
    assert "%" not in terminal.drawn
    tally.total = 10
    bar.pulse()
    assert "50%" in terminal.drawn
    assert "5/10" in terminal.drawn
    bar.finished()


def test_a_resumed_run_begins_where_the_last_one_stopped(
    terminal: _Terminal, clock: _Clock
) -> None:
    tally = Tally(done_before=40, total=100)
    bar = ProgressBar(terminal, clock)
    bar.started(tally, lambda: Flow(0, 8))
    assert "40/100" in terminal.drawn
    tally.results = 10
    bar.pulse()
    assert "50/100" in terminal.drawn
    bar.finished()


def test_a_pulse_without_news_draws_the_same_state_again(
    terminal: _Terminal, clock: _Clock
) -> None:
    """Calls in flight and the time left change while no row ends; no time may have passed."""
    in_flight = [1]
    bar = ProgressBar(terminal, clock)
    bar.started(Tally(total=10), lambda: Flow(in_flight[0], 8))
    bar.pulse()
    assert "in flight 1" in terminal.drawn
    in_flight[0] = 2
    bar.pulse()
    assert "in flight 2" in terminal.drawn
    bar.finished()


def test_what_the_calls_wait_for_takes_the_place_of_those_in_flight(
    terminal: _Terminal, clock: _Clock
) -> None:
    down = "endpoint down for 12 min, next probe in 40 s"
    bar = ProgressBar(terminal, clock)
    bar.started(Tally(total=10), lambda: Flow(1, 8, down))
    bar.pulse()
    assert terminal.drawn.endswith(f"retries 0, {down}]")
    bar.finished()


def test_at_the_end_the_last_state_is_left_standing(terminal: _Terminal, clock: _Clock) -> None:
    tally = Tally(total=2)
    bar = ProgressBar(terminal, clock)
    bar.started(tally, lambda: Flow(0, 8))
    tally.results = 2
    bar.finished()
    assert terminal.getvalue().endswith("\n")
    assert "2/2" in terminal.drawn
    assert "100%" in terminal.drawn


def test_news_is_written_before_there_is_a_bar(terminal: _Terminal) -> None:
    ProgressBar(terminal).notice("nobody was told")
    assert terminal.getvalue() == "nobody was told\n"
