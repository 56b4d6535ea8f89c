"""An example of each class of errors, in the summary, the status and the log of a run."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from batcher.runs.examples import examples_of
from batcher.runs.status import status_of
from tests.simulated import AT_ONCE, Place

WRONG = "no prompt: neither `promt` nor `messages`; columns: "


@pytest.mark.parametrize("texts", [True, False])
def test_where_every_row_fails_for_one_cause_it_is_named(place: Place, *, texts: bool) -> None:
    """As for a column that is misspelt; without texts by its first line only."""
    job = place.job(prompt={"prompt_column": "promt"}, observe={"report_samples": texts})
    summary = list(place.run(job).summary.lines())
    status = list(status_of(place.directory).lines())
    for lines in (summary, status):
        (line,) = [line.strip() for line in lines if "first: " in line]
        assert line.startswith(f"first: {place.input}:1")
        assert (WRONG in line) == texts
    assert (WRONG in place.directory.log.read_text()) == texts


def test_what_the_provider_said_is_in_the_summary_but_not_in_the_log(place: Place) -> None:
    result = place.run(simulator=replace(AT_ONCE, faults={"1210": 1.0}))
    (line,) = [line for line in result.summary.lines() if "first: " in line]
    said = line.partition("HTTP 400, 1210: ")[2]
    assert said
    log = place.directory.log.read_text()
    assert '"first": "' in log
    assert said not in log


def test_a_damaged_error_is_no_example_and_hides_nothing_else(place: Place) -> None:
    place.run(place.job(prompt={"prompt_column": "promt"}))
    with sqlite3.connect(place.directory.checkpoint) as connection:
        connection.execute("UPDATE outcomes SET message = 'other'")
    connection.close()
    assert examples_of(place.directory, texts=True) == {}
    assert status_of(place.directory).counts.error_rows == 10
