"""A run in the log of its task."""

from __future__ import annotations

import logging

import pytest

from batcher.airflow.task_log import TaskLog, watcher
from batcher.limits import Flow
from batcher.observe import Tally


def test_a_run_is_told_in_one_line_an_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tally = Tally(total=1000, done_before=200)
    told = watcher(TaskLog(logging.getLogger("batcher")))
    told.started(tally, lambda: Flow(4, 16))
    told.notice("The endpoint is down.\nIt is asked again.")
    told.finished()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "INFO",
            "begins: 200 of 1,000 rows done, 0 errors, 0 retries, 0 tokens, 4 of 16 in flight",
        ),
        ("WARNING", "The endpoint is down. It is asked again."),
        (
            "INFO",
            "calls ended: 200 of 1,000 rows done, 0 errors, 0 retries, 0 tokens, 4 of 16 in flight",
        ),
    ]


def test_a_text_becomes_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    TaskLog(logging.getLogger("batcher")).say("Done.\n  rows 3")
    assert [record.getMessage() for record in caplog.records] == ["Done.", "  rows 3"]
