"""Rows, checked and rendered."""

from __future__ import annotations

from dataclasses import replace

from batcher.errors import ErrorClass, Problem
from batcher.job import load_job
from batcher.records import Failure, Prompt, Request, Source
from batcher.render import Renderer
from batcher.runs.prepare import Preparation

SOURCE = Source("prompts.jsonl", 3)
PREPARE = Preparation(Renderer(load_job(None, {"provider": {"model": "m"}})), lambda: 7.0)


def test_a_good_row_becomes_its_request() -> None:
    made = PREPARE(Prompt(2, "a", {"prompt": "hi"}, SOURCE))
    assert isinstance(made, Request)
    assert (made.row, made.id, made.source) == (2, "a", SOURCE)


def test_a_row_that_cannot_be_asked_is_a_failure_without_a_key() -> None:
    made = PREPARE(Prompt(2, "a", {}, SOURCE))
    assert isinstance(made, Failure)
    assert (made.row, made.id, made.key, made.finished_at) == (2, "a", None, 7.0)
    assert made.problem.error_class is ErrorClass.INVALID_ROW


def test_a_line_that_could_not_be_read_passes_as_it_is() -> None:
    problem = Problem(ErrorClass.INVALID_ROW, "not JSON")
    failure = Failure(2, "2", None, problem, (), 1.0, SOURCE)
    assert PREPARE(failure) is failure


def test_a_duplicate_names_both_rows_and_claims_no_key() -> None:
    request = PREPARE(Prompt(2, "a", {"prompt": "hi"}, SOURCE))
    assert isinstance(request, Request)
    made = PREPARE.duplicate(request, "prompts.jsonl:1")
    assert made.key is None
    assert made.problem.error_class is ErrorClass.DUPLICATE_ID
    assert "prompts.jsonl:3" in made.problem.message
    assert "prompts.jsonl:1" in made.problem.message


def test_each_sample_of_a_row_is_a_request_with_a_number_and_a_key_of_its_own() -> None:
    prompt = Prompt(2, "a", {"prompt": "hi"}, SOURCE)
    (alone,) = PREPARE.records(prompt)
    made = replace(PREPARE, samples=3).records(prompt)
    assert isinstance(alone, Request)
    assert [(one.row, one.id, one.source, one.sample) for one in made] == [
        (6, "a", SOURCE, 0),
        (7, "a", SOURCE, 1),
        (8, "a", SOURCE, 2),
    ]
    assert all(isinstance(one, Request) and one.body == alone.body for one in made)
    assert made[0].key == alone.key
    assert len({one.key for one in made}) == 3


def test_a_row_that_cannot_be_asked_is_a_failure_for_each_of_its_samples() -> None:
    made = replace(PREPARE, samples=2).records(Prompt(2, "a", {}, SOURCE))
    assert [(one.row, one.sample, one.key) for one in made] == [(4, 0, None), (5, 1, None)]
    assert all(isinstance(one, Failure) for one in made)


def test_a_duplicate_is_one_for_its_own_sample() -> None:
    _, second = replace(PREPARE, samples=2).records(Prompt(2, "a", {"prompt": "hi"}, SOURCE))
    assert isinstance(second, Request)
    made = PREPARE.duplicate(second, "prompts.jsonl:1")
    assert (made.row, made.sample) == (5, 1)
