"""What a previous run has done, looked up without a change to it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import pytest

from batcher.errors import ConfigurationError
from batcher.runs.previous import Previous, directory_of, previous_run
from batcher.runs.rows import open_dataset
from tests.simulated import Place


@contextlib.contextmanager
def _previous(
    place: Place,
    *,
    retry_errors: bool = False,
    simulated: bool = True,
    **flags: Any,  # noqa: ANN401 -- tables of a job file
) -> Iterator[Previous | None]:
    job = place.job(**flags)
    dataset = open_dataset(job, place.folder, io.BytesIO())
    with previous_run(job, dataset, retry_errors=retry_errors, simulated=simulated) as previous:
        yield previous


def test_without_a_run_there_is_nothing_previous_and_nothing_is_made(place: Place) -> None:
    with _previous(place) as previous:
        assert previous is None
    assert not place.directory.path.exists()


def test_an_input_that_names_no_directory_has_none(place: Place) -> None:
    assert directory_of(place.job(input=["a.jsonl", "b.jsonl"])) is None
    with _previous(place, input=[str(place.input), str(place.input)]) as previous:
        assert previous is None


def test_the_same_input_and_job_are_told_by_their_row_numbers(place: Place) -> None:
    place.run(place.job(ceilings={"max_rows": 4}))
    with _previous(place) as previous:
        assert previous is not None
        assert previous.done is not None
        assert [row for row in range(10) if row in previous.done] == [0, 1, 2, 3]


@pytest.mark.parametrize("retry_errors", [False, True])
def test_rows_that_ended_in_errors_are_done_unless_they_are_retried(
    place: Place, *, retry_errors: bool
) -> None:
    place.write([{"id": "a", "prompt": "x"}, {"id": "b"}])
    place.run()
    with _previous(place, retry_errors=retry_errors) as previous:
        assert previous is not None
        assert previous.done is not None
        assert (1 in previous.done) is not retry_errors


def test_another_job_is_told_by_keys(place: Place) -> None:
    place.run()
    with _previous(place, parameters={"temperature": 0}) as previous:
        assert previous is not None
        assert previous.done is None
        assert previous.keys([]) == set()


def test_simulated_and_real_answers_are_not_mixed(place: Place) -> None:
    place.run()
    with (
        pytest.raises(ConfigurationError, match="holds simulated answers and this run is real"),
        _previous(place, simulated=False),
    ):
        pass
