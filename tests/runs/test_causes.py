"""Why a run failed, without a text that may quote anybody."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from batcher.errors import DiskFullError, Halt, InputError, Interruption, LockedError
from batcher.observe.alerts import Cause, Why
from batcher.runs.causes import why_ended, why_raised
from tests.simulated import Place


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (InputError("canary"), Why(Cause.ERROR, "InputError", 2)),
        (LockedError("canary"), Why(Cause.ERROR, "LockedError", 75)),
        (DiskFullError("canary"), Why(Cause.ERROR, "DiskFullError", 74)),
        (PermissionError("canary"), Why(Cause.ERROR, "PermissionError", 74)),
        (ZeroDivisionError("canary"), Why(Cause.ERROR, "ZeroDivisionError", 70)),
        (Interruption(signal.SIGHUP), Why(Cause.INTERRUPTED, "SIGHUP", 129)),
        (KeyboardInterrupt("canary"), Why(Cause.INTERRUPTED, "SIGINT", 130)),
    ],
)
def test_an_error_is_told_by_its_kind_and_its_exit_code(error: BaseException, why: Why) -> None:
    """The codes are those that the command line ends with."""
    assert why_raised(error) == why


def test_a_run_whose_rows_are_done_and_whose_copy_is_not_current_failed_by_its_store(
    place: Place,
) -> None:
    """It is no matter of too many errors, of which there is none."""
    done = place.run()
    assert why_ended(done, place.job()) is None
    uncopied = replace(done, copied=False)
    assert why_ended(uncopied, place.job()) == Why(Cause.ERROR, "StorageError", 74)


def test_an_input_that_cannot_be_read_is_told_of_without_its_name(place: Place) -> None:
    """Whether that stopped the calls, or only kept the files from being written."""
    done, job = place.run(), place.job()
    why = Why(Cause.ERROR, "InputError", 2)
    halted = replace(done, halted=Halt("cannot read canary", 2), left=None)
    unexported = replace(done, summary=replace(done.summary, unexported="cannot read canary"))
    assert why_ended(halted, job) == why_ended(unexported, job) == why
