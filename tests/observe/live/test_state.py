"""What a run is doing, and how long it will."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batcher.history import Ended, Lately
from batcher.observe.live import Phase, State
from batcher.recorded import NOTHING_YET

LATELY = Lately(30, 15, 900, 0, 4, 8, None)
WORKING = State(
    name="prompts.batch",
    total=100,
    writer="process 7 on node-1",
    counts=replace(NOTHING_YET, results=40),
    lately=LATELY,
)


def test_a_run_with_a_process_goes_on_and_says_how_long() -> None:
    assert WORKING.phase is Phase.RUNNING
    assert WORKING.rate == 0.5
    assert WORKING.time_left == 120


def test_before_a_second_has_passed_or_a_row_has_ended_nobody_knows_how_long() -> None:
    assert replace(WORKING, lately=None).time_left is None
    assert replace(WORKING, lately=Lately(0, 0, 0, 0, 0, 0, None)).time_left is None
    assert replace(WORKING, lately=Lately(30, 0, 0, 0, 0, 0, None)).time_left is None


def test_nor_while_nobody_has_counted_the_input() -> None:
    uncounted = replace(WORKING, total=None)
    assert (uncounted.phase, uncounted.pending, uncounted.time_left) == (Phase.RUNNING, None, None)


def test_a_run_that_cannot_call_waits() -> None:
    waiting = replace(WORKING, lately=LATELY._replace(waiting="an outage"))
    assert waiting.phase is Phase.WAITING


def test_a_process_that_makes_no_calls_is_busy_with_files() -> None:
    full = replace(WORKING, counts=replace(NOTHING_YET, results=100))
    assert full.phase is Phase.BUSY
    assert replace(WORKING, lately=LATELY._replace(ended=Ended.PENDING)).phase is Phase.BUSY
    assert full.rate is None


@pytest.mark.parametrize(
    ("total", "results", "how", "phase"),
    [
        (100, 100, Ended.DONE, Phase.FINISHED),
        (100, 100, None, Phase.KILLED),
        (None, 100, Ended.DONE, Phase.FINISHED),
        (None, 100, Ended.HALTED, Phase.STOPPED),
        (100, 40, Ended.INTERRUPTED, Phase.STOPPED),
        (100, 40, None, Phase.KILLED),
        (None, 40, None, Phase.KILLED),
    ],
)
def test_a_run_without_a_process_has_ended_and_how(
    total: int | None, results: int, how: str | None, phase: Phase
) -> None:
    ended = replace(
        WORKING,
        total=total,
        writer=None,
        counts=replace(NOTHING_YET, results=results),
        lately=LATELY._replace(ended=how),
    )
    assert ended.phase is phase
    assert ended.rate is None


def test_a_run_without_a_history_was_not_killed() -> None:
    """It never came to make a call, or was made by an older version."""
    before = replace(WORKING, writer=None, lately=None)
    assert before.phase is Phase.STOPPED
    assert replace(before, total=40).phase is Phase.FINISHED


def test_what_cannot_be_read_is_told_whatever_was_read_before() -> None:
    assert replace(WORKING, unreadable="it is damaged").phase is Phase.UNREADABLE
    assert replace(WORKING, gone=True).phase is Phase.GONE
