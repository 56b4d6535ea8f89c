"""What a previous run has done, looked up without a change to it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import Checkpoint
from batcher.errors import ConfigurationError
from batcher.job import JobSpec
from batcher.records import Prompt
from batcher.render import Renderer
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


def test_a_row_whose_answer_is_set_aside_is_done_too(place: Place) -> None:
    place.run()
    path = place.directory.checkpoint
    with Checkpoint.open(path) as checkpoint, checkpoint.placement() as placement:
        placement.apply()
    requests = list(map(Renderer(place.job()), _prompts(place.job())))
    with _previous(place) as previous:
        assert previous is not None
        assert previous.done is not None
        assert len(previous.done) == 0
        assert previous.keys(requests) == {request.key for request in requests}


def test_another_job_is_told_by_keys(place: Place) -> None:
    place.run()
    with _previous(place, parameters={"temperature": 0}) as previous:
        assert previous is not None
        assert previous.done is None
        assert previous.keys([]) == set()


def test_simulated_and_real_answers_are_not_mixed(place: Place) -> None:
    place.run()
    with (
        pytest.raises(ConfigurationError, match="is of a simulated run and this one is real"),
        _previous(place, simulated=False),
    ):
        pass


def _grown(place: Place, **files: str) -> dict[str, Any]:
    """Write one row into each of `files`; return what makes their folder the input."""
    folder = place.folder / "in"
    folder.mkdir(exist_ok=True)
    for name, prompt in files.items():
        (folder / f"{name}.jsonl").write_text(json.dumps({"prompt": prompt}), "utf-8")
    return {"input": [str(folder)], "output": {"directory": str(place.directory.path)}}


def test_files_behind_those_that_were_run_leave_the_row_numbers_as_they_are(place: Place) -> None:
    place.run(place.job(**_grown(place, b="x", c="y")))
    with _previous(place, **_grown(place, d="z")) as previous:
        assert previous is not None
        assert previous.done is not None
        assert [row for row in range(3) if row in previous.done] == [0, 1]


def test_rows_without_an_id_are_found_under_another_number(place: Place) -> None:
    place.run(place.job(**_grown(place, b="x", c="y")))
    flags = _grown(place, a="new")
    requests = list(map(Renderer(place.job(**flags)), _prompts(place.job(**flags))))
    with _previous(place, **flags) as previous:
        assert previous is not None
        assert previous.done is None
        assert previous.keys(requests) == {request.key for request in requests[1:]}


def test_with_other_samples_rows_are_known_by_their_key_alone(place: Place) -> None:
    place.run(place.job(**_grown(place, b="x")))
    with _previous(place, sampling={"samples": 2}, **_grown(place)) as previous:
        assert previous is not None
        assert previous.numbered is None


def _prompts(job: JobSpec) -> list[Prompt]:
    rows = open_dataset(job, Path(), io.BytesIO()).rows()
    return [row for row in rows if isinstance(row, Prompt)]
