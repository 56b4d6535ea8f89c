"""How a run ended, as the sentence or two that its summary begins with."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from batcher.checkpoint import Checkpoint, Reserve
from batcher.errors import Halt
from batcher.observe import Tally
from batcher.runs.endings import ending
from batcher.runs.live import LiveRun
from tests.engines import Engine
from tests.simulated import Place

TERM = signal.SIGTERM


@pytest.fixture
def live(place: Place) -> Iterator[LiveRun]:
    place.run()
    with (
        Checkpoint.open(place.directory.checkpoint) as checkpoint,
        Reserve.held(place.directory.reserve, 1, 1024) as reserve,
    ):
        yield place.live(checkpoint, reserve, Engine([]).retrier())


def _some() -> Tally:
    return Tally(total=10)


def _all() -> Tally:
    return Tally(done_before=10, total=10)


def test_a_run_that_nothing_stopped_says_what_is_left(live: LiveRun) -> None:
    assert ending(live, None, 0, _all(), None) == "Done."
    assert ending(live, None, 3, _some(), None).startswith("Rows are pending")
    first = ending(live, None, 0, _all(), "the first 3 of 10 rows")
    assert first.startswith("Done: the first 3 of 10 rows.")


def test_an_input_without_a_row_does_not_pass_for_a_good_night(live: LiveRun) -> None:
    said = ending(live, None, 0, Tally(total=0), "the first 3 of 0 rows")
    assert said.startswith("Done. There was no row at all")


def test_a_retry_says_what_it_took_up(live: LiveRun) -> None:
    assert ending(live, None, 0, Tally(chosen=0), None).startswith("No error was chosen")
    again = Tally(chosen=2, results=1, failures=1)
    assert ending(live, None, 0, again, None) == "2 chosen errors taken up again."
    assert ending(live, None, 5, again, None).endswith("goes on with the pending rows.")


def test_what_stopped_it_comes_before_what_is_left(live: LiveRun) -> None:
    """A full disk, then the provider or a ceiling, then a signal."""
    assert ending(live, TERM, 3, _some(), None).startswith("Stopped by SIGTERM")
    live.executor.halted = Halt("The balance is empty.")
    assert ending(live, TERM, 3, _some(), None) == "The balance is empty."
    assert ending(live, None, 0, _all(), None) == "Done."
    live.disk_full = True
    assert ending(live, TERM, 3, _some(), None).startswith("The disk is full")
