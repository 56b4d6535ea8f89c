"""What can be told, and under which word a webhook asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from batcher.job.alerts import Told
from batcher.observe.alerts import Alert, Cause, Event, Why
from tests.observe.alerts.conftest import FIGURES, alert_of


def test_each_event_is_asked_for_by_a_word_of_the_job() -> None:
    assert {event.told_as for event in Event} == set(get_args(Told))
    assert Event.RECOVERED.told_as == "outage"


def test_the_state_is_a_word_of_batcher_status(alert: Alert) -> None:
    states = {Event.FINISH: "finished", Event.FAILURE: "stopped"}
    assert alert.state == states.get(alert.event, "running")


def test_a_run_with_too_many_errors_is_finished_all_the_same() -> None:
    failed = replace(alert_of(Event.FAILURE), why=Why(Cause.TOO_MANY_ERRORS))
    assert failed.state == "finished"


def test_error_rows_are_those_of_all_classes() -> None:
    assert FIGURES.error_rows == pytest.approx(10)
