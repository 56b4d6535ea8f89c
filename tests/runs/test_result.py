"""How a run ended, in a word and as an exit code."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from batcher.errors import Halt
from batcher.history import Ended
from batcher.job import OutputSpec
from batcher.runs.result import RunResult
from tests.simulated import Place


@pytest.fixture
def done(place: Place) -> RunResult:
    """Return the result of a run that went well."""
    return place.run()


def test_each_end_has_its_word_and_its_code_and_the_gravest_one_wins(done: RunResult) -> None:
    pending = replace(done, summary=replace(done.summary, pending=3), left=3)
    interrupted = replace(pending, interrupted=signal.SIGTERM)
    halted = replace(interrupted, halted=Halt("no balance", 77))
    full = replace(halted, disk_full=True)
    ends = [(one.ended, one.exit_code(OutputSpec())) for one in (done, pending, interrupted)]
    assert ends == [(Ended.DONE, 0), (Ended.PENDING, 75), (Ended.INTERRUPTED, 143)]
    assert (halted.ended, halted.exit_code(OutputSpec())) == (Ended.HALTED, 77)
    assert (full.ended, full.exit_code(OutputSpec())) == (Ended.DISK_FULL, 74)


def test_a_halt_that_left_no_row_is_none(done: RunResult) -> None:
    assert replace(done, halted=Halt("no balance", 77)).ended is Ended.DONE


def test_whether_errors_are_allowed_decides_of_a_run_that_is_done(place: Place) -> None:
    place.write([{"id": "a", "prompt": "one"}, "not json"])
    result = place.run()
    assert result.ended is Ended.DONE
    assert result.exit_code(OutputSpec()) == 65
    assert result.exit_code(OutputSpec(allow_errors=1)) == 0
