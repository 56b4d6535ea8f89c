"""Builders of outcomes and requests; of session scope, so that property tests may use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import Checkpoint, checkpoint_problems
from batcher.errors import ErrorClass, Problem
from batcher.records import (
    Attempt,
    Completion,
    Failure,
    InvalidAnswer,
    Request,
    Source,
    Success,
    Usage,
)

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeRequest = Callable[..., Request]
MakeInvalid = Callable[..., InvalidAnswer]


def _success(
    row: int,
    *,
    row_id: str | None = None,
    key: str | None = None,
    text: str = "fine",
    finish_reason: str = "stop",
    usage: Usage = Usage(10, 5, 3, 2),  # noqa: B008 -- frozen
    attempts: tuple[Attempt, ...] = (Attempt(1, "req-1", 1.0, 0.5),),
) -> Success:
    row_id = f"id-{row}" if row_id is None else row_id
    completion = Completion(text, None, None, finish_reason, "glm-4-flash", usage, "theirs")
    source = Source("prompts.jsonl", row + 1)
    key = f"key-{row_id}" if key is None else key
    return Success(row, row_id, key, completion, attempts, 2.0, source)


def _failure(
    row: int,
    *,
    row_id: str | None = None,
    key: str | None = None,
    error_class: ErrorClass = ErrorClass.SERVER_ERROR,
    attempts: tuple[Attempt, ...] = (),
) -> Failure:
    problem = Problem(error_class, "it failed", "500", 500)
    row_id = f"id-{row}" if row_id is None else row_id
    return Failure(row, row_id, key, problem, attempts, 2.0, Source("prompts.jsonl", row + 1))


def _request(row: int, *, row_id: str | None = None, key: str | None = None) -> Request:
    row_id = f"id-{row}" if row_id is None else row_id
    key = f"key-{row_id}" if key is None else key
    return Request(row, row_id, key, {}, Source("prompts.jsonl", row + 1))


def _invalid(key: str, text: str | None = "hm", **values: Any) -> InvalidAnswer:  # noqa: ANN401 -- of it
    completion = Completion(text, None, None, "stop", "glm-4-flash", Usage(10, 5, 3, None))
    return InvalidAnswer(key, completion, "no object", **values)


@pytest.fixture(scope="session")
def invalid() -> MakeInvalid:
    return _invalid


@pytest.fixture(scope="session")
def success() -> MakeSuccess:
    return _success


@pytest.fixture(scope="session")
def failure() -> MakeFailure:
    return _failure


@pytest.fixture(scope="session")
def request_of() -> MakeRequest:
    return _request


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the checkpoint of a test lies."""
    return tmp_path / "checkpoint.db"


@pytest.fixture
def checkpoint(path: Path) -> Iterator[Checkpoint]:
    """An open, empty checkpoint."""
    with Checkpoint.open(path) as opened:
        yield opened


@pytest.fixture(scope="session")
def make_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return what names a place for one more checkpoint, each in a directory of its own."""
    return lambda: tmp_path_factory.mktemp("made") / "checkpoint.db"


@pytest.fixture(scope="session")
def problems() -> Callable[[Path], Sequence[str]]:
    """Return what is wrong with a checkpoint, but that the keys of these tests are no hashes."""
    return lambda path: [
        problem for problem in checkpoint_problems(path) if "is no key" not in problem
    ]
