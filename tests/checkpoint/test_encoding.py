"""Outcomes as rows of SQLite, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from batcher.checkpoint.encoding import (
    decoded,
    decoded_invalid,
    encoded,
    encoded_invalid,
    failed_attempts,
)
from batcher.errors import ErrorClass, Problem
from batcher.recorded import Recorded, record
from batcher.records import Attempt, Failure, InvalidAnswer, Success

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeInvalid = Callable[..., InvalidAnswer]


def test_what_was_encoded_is_decoded(success: MakeSuccess, failure: MakeFailure) -> None:
    for outcome in (success(3), failure(4), failure(5, key="k")):
        assert decoded(encoded(outcome)) == record(outcome)


def test_text_that_is_no_unicode_is_escaped(success: MakeSuccess) -> None:
    recorded = decoded(encoded(success(3, text="half \ud83d a pair")))
    assert recorded is not None
    assert recorded.response == "half \\ud83d a pair"


@pytest.mark.parametrize("field", [f for f in Recorded._fields if f not in ("row", "source")])
def test_a_change_of_any_field_is_seen(success: MakeSuccess, field: str) -> None:
    row = list(encoded(success(3)))
    row[Recorded._fields.index(field)] = "something else"
    assert decoded(row) is None


def test_the_row_number_and_the_source_follow_the_input(success: MakeSuccess) -> None:
    """They change when lines are put before a row; its id binds the outcome to it."""
    row = list(encoded(success(3)))
    row[0] = 7
    row[Recorded._fields.index("source")] = "renamed.jsonl:8"
    recorded = decoded(row)
    assert recorded is not None
    assert (recorded.row, recorded.source) == (7, "renamed.jsonl:8")


def test_a_changed_type_is_seen(success: MakeSuccess) -> None:
    row = list(encoded(success(3)))
    row[Recorded._fields.index("response")] = b"fine"
    assert decoded(row) is None


def test_every_attempt_but_that_of_a_result_is_kept_for_itself(
    success: MakeSuccess, failure: MakeFailure
) -> None:
    """That of an answer of no use had no problem: the answer has one."""
    failed = Attempt(1, "req-1", 1.5, 0.25, Problem(ErrorClass.OVERLOADED, "busy", "1305", 429))
    answered = Attempt(2, "req-2", 2.0, 0.5)
    first = ("k", 1, "req-1", 1_500_000, 0.25, "overloaded", "1305", 429)
    outcome = replace(success(3, key="k"), attempts=(failed, answered))
    assert list(failed_attempts([outcome])) == [first]
    given_up = failure(3, key="k", attempts=(failed, answered))
    assert list(failed_attempts([given_up])) == [
        first,
        ("k", 2, "req-2", 2_000_000, 0.5, "invalid_output", None, None),
    ]


def test_an_invalid_answer_that_was_encoded_is_decoded(invalid: MakeInvalid) -> None:
    for answer in (invalid("k"), invalid("k", None, repairs=2, cost=7)):
        assert decoded_invalid(encoded_invalid(answer)) == answer


def test_an_invalid_answer_that_is_no_unicode_is_escaped(invalid: MakeInvalid) -> None:
    answer = decoded_invalid(encoded_invalid(invalid("k", "half \ud83d a pair")))
    assert answer is not None
    assert answer.completion.text == "half \\ud83d a pair"


@pytest.mark.parametrize("at", range(11))
def test_a_change_of_any_field_of_an_invalid_answer_is_seen(invalid: MakeInvalid, at: int) -> None:
    row = list(encoded_invalid(invalid("k")))
    row[at] = "something else"
    assert decoded_invalid(row) is None
