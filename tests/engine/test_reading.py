"""Finding in an answer what the job wants of it."""

from __future__ import annotations

import threading

import pytest

from batcher.engine.reading import value_of
from batcher.records import Completion, Usage
from batcher.structured import InvalidAnswerError


def _said(text: str | None) -> Completion:
    return Completion(text, None, None, "stop", "m", Usage())


async def test_where_an_answer_is_wanted_as_it_is_it_holds_no_value() -> None:
    assert await value_of(_said("hm"), None) is None


async def test_an_answer_without_text_is_read_as_an_empty_one() -> None:
    assert await value_of(_said(None), lambda text: f"<{text}>") == "<>"


@pytest.mark.parametrize(("length", "in_thread"), [(2, False), (256, False), (257, True)])
async def test_a_long_answer_is_read_in_a_thread_so_that_the_loop_goes_on(
    length: int,
    in_thread: bool,  # noqa: FBT001 -- a case
) -> None:
    def read(text: str) -> str:
        assert (threading.current_thread() is not threading.main_thread()) is in_thread
        return text

    assert await value_of(_said("x" * length), read) == "x" * length


@pytest.mark.parametrize("length", [2, 1000])
async def test_what_is_wrong_with_an_answer_comes_out_of_either(length: int) -> None:
    def read(text: str) -> str:
        raise InvalidAnswerError(f"{len(text)} characters")

    with pytest.raises(InvalidAnswerError, match=f"{length} characters"):
        await value_of(_said("x" * length), read)
