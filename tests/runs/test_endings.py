"""How a run ended: in a word, and as the sentence or two that its summary begins with."""

from __future__ import annotations

import signal

import pytest

from batcher.errors import Halt
from batcher.history import Ended
from batcher.observe import Tally
from batcher.runs.endings import ending, how_ended

TERM = signal.SIGTERM
HALT = Halt("The balance is empty.")


@pytest.mark.parametrize(
    ("halted", "interrupted", "left", "disk_full", "how"),
    [
        (HALT, TERM, 3, True, Ended.DISK_FULL),
        (HALT, TERM, 3, False, Ended.HALTED),
        (HALT, None, None, False, Ended.HALTED),
        (HALT, TERM, 0, False, Ended.INTERRUPTED),
        (None, TERM, 3, False, Ended.INTERRUPTED),
        (None, None, 3, False, Ended.PENDING),
        (HALT, None, 0, False, Ended.DONE),
        (None, None, None, False, Ended.DONE),
    ],
)
def test_of_several_things_the_gravest_one_ended_it(
    halted: Halt | None,
    interrupted: signal.Signals | None,
    left: int | None,
    how: Ended,
    *,
    disk_full: bool,
) -> None:
    """A full disk, then the provider or a ceiling that left rows, then a signal."""
    assert how_ended(halted, interrupted, left, left, disk_full=disk_full) is how


def _said(
    how: Ended, tally: Tally | None = None, chosen: str | None = None, halted: Halt | None = None
) -> str:
    return ending(how, halted, TERM, tally or Tally(), chosen)


def test_a_run_that_nothing_stopped_says_what_is_left() -> None:
    assert _said(Ended.DONE) == "Done."
    assert _said(Ended.PENDING).startswith("Rows are pending")
    first = _said(Ended.DONE, chosen="the first 3 of 10 rows")
    assert first.startswith("Done: the first 3 of 10 rows.")


def test_an_input_without_a_row_does_not_pass_for_a_good_night() -> None:
    said = _said(Ended.DONE, Tally(total=0), "the first 3 of 0 rows")
    assert said.startswith("Done. There was no row at all")


def test_a_retry_says_what_it_took_up() -> None:
    assert _said(Ended.DONE, Tally(chosen=0)).startswith("No error was chosen")
    again = Tally(chosen=2, results=1, failures=1)
    assert _said(Ended.DONE, again) == "2 chosen errors taken up again."
    assert _said(Ended.DONE, Tally(chosen=1, done_before=1)) == "1 chosen error taken up again."
    assert _said(Ended.PENDING, again).endswith("goes on with the pending rows.")


def test_what_stopped_it_is_said() -> None:
    assert _said(Ended.INTERRUPTED).startswith("Stopped by SIGTERM")
    assert _said(Ended.HALTED, halted=HALT) == "The balance is empty."
    assert _said(Ended.DISK_FULL).startswith("The disk is full")
