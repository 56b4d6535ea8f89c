"""Answers, and a cache to keep them in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from batcher.records import AnsweredBy, Completion, Source, Success, Usage

MakeSuccess = Callable[..., Success]


def _success(
    content: str | None,
    text: str | None = "fine",
    *,
    answered_by: AnsweredBy = AnsweredBy.CALL,
) -> Success:
    completion = Completion(text, None, None, "stop", "glm-4-flash", Usage(10, 5, 3, 2), "theirs")
    source = Source("prompts.jsonl", 1)
    return Success(
        *(0, "id", "key", completion, (), 2.5, source),
        answered_by=answered_by,
        content=content,
    )


@pytest.fixture(scope="session")
def success() -> MakeSuccess:
    return _success
