"""The values that flow."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from batcher import recorded, records
from batcher.errors import ErrorClass, Problem
from batcher.records import Attempt, Completion, Failure, Source, Success, Usage, without_long_texts

SOURCE = Source("data/prompts.jsonl", 18)
TIMEOUT = Problem(ErrorClass.AMBIGUOUS, "no whole answer", None, None)
ATTEMPTS = (Attempt(1, "req-1", 100.0, 9.5, TIMEOUT), Attempt(2, "req-2", 120.0, 1.25))
VALUES = [
    value
    for value in (vars(records) | vars(recorded)).values()
    if isinstance(value, type) and dataclasses.is_dataclass(value)
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_a_value_is_frozen_and_slotted(value: Any) -> None:  # noqa: ANN401 -- any dataclass
    assert value.__dataclass_params__.frozen
    assert "__dict__" not in dir(value)


def test_a_source_reads_as_file_and_line() -> None:
    assert str(SOURCE) == "data/prompts.jsonl:18"


LONG = "x" * 70_000


@pytest.mark.parametrize("texts", [(LONG, None, None), (None, LONG, None), ("", "x", LONG)])
def test_long_texts_are_left_out_of_an_outcome_with_all_else_kept(
    texts: tuple[str | None, str | None, str | None],
) -> None:
    short = Completion(None, None, None, "stop", "m", Usage(1, 2))
    success = Success(17, "a", "k", short, ATTEMPTS, 3.0, SOURCE, cost=5)
    long = dataclasses.replace(success, completion=Completion(*texts, "stop", "m", Usage(1, 2)))
    assert without_long_texts(long) == success


def test_short_texts_and_failures_are_left_as_they_are() -> None:
    short = Completion("yes", None, None, "stop", "m", Usage())
    success = Success(1, "a", "k", short, (), 3.0, SOURCE)
    failure = Failure(1, "a", "k", TIMEOUT, ATTEMPTS, 3.0, SOURCE)
    assert without_long_texts(success) is success
    assert without_long_texts(failure) is failure
