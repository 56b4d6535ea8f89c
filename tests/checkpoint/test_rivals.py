"""Two outcomes, of which one is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from batcher.checkpoint.encoding import decoded, decoded_invalid, encoded, encoded_invalid
from batcher.checkpoint.rivals import both_of, moved, one_of
from batcher.records import Failure, InvalidAnswer, Outcome, Success, Usage

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeInvalid = Callable[..., InvalidAnswer]


def _kept(first: Outcome, second: Outcome) -> tuple[object, ...]:
    """Return finished_at, tokens and attempts of what is kept, and the key of what is set aside."""
    kept = one_of(encoded(first), encoded(second))
    row = decoded(kept.row)
    assert row is not None
    aside = decoded(kept.aside) if kept.aside else None
    return row.finished_at, row.prompt_tokens, row.attempts, aside and aside.key


def test_a_result_counts_more_than_an_error_and_that_more_than_a_row_without_a_call(
    success: MakeSuccess, failure: MakeFailure
) -> None:
    result = success(0)
    error = replace(failure(0, key="key-id-0"), finished_at=3.0)
    bad = replace(failure(0), finished_at=4.0)
    for best, other in ((result, error), (error, bad), (result, bad)):
        at = round(best.finished_at * 1_000_000)
        assert _kept(best, other)[0] == _kept(other, best)[0] == at
        assert _kept(best, other)[3] is None


def test_of_two_alike_the_first_stays_and_what_the_other_took_is_added(
    success: MakeSuccess, failure: MakeFailure
) -> None:
    later = replace(success(0), finished_at=5.0)
    assert _kept(success(0), later) == (2_000_000, 20, 2, None)
    assert _kept(later, success(0)) == (5_000_000, 20, 2, None)
    assert _kept(failure(0), replace(failure(0), finished_at=9.0))[0] == 2_000_000


def test_one_call_counts_once_and_as_what_knows_of_more_attempts(success: MakeSuccess) -> None:
    """One checkpoint was merged into the other before, with a third one."""
    knowing = replace(success(0), answered_before=1)
    assert _kept(success(0), success(0)) == (2_000_000, 10, 1, None)
    assert _kept(success(0), knowing) == _kept(knowing, success(0)) == (2_000_000, 10, 2, None)


def test_a_paid_outcome_of_another_key_is_set_aside(
    success: MakeSuccess, failure: MakeFailure
) -> None:
    other = failure(0, key="other")
    assert _kept(success(0), other) == (2_000_000, 10, 1, "other")
    assert _kept(other, success(0)) == (2_000_000, 10, 1, "other")


def test_an_outcome_moves_to_another_row_as_it_is(success: MakeSuccess) -> None:
    found = decoded(moved(encoded(success(4, key="k")), encoded(success(1, key="k"))))
    assert found is not None
    assert (found.row, found.source, found.id) == (1, "prompts.jsonl:2", "id-4")


def test_of_two_answers_of_no_use_the_first_stays_with_the_sums_of_both(
    invalid: MakeInvalid,
) -> None:
    one, other = invalid("k", "one", cost=5), invalid("k", "other", repairs=2, cost=None)
    both = decoded_invalid(both_of(encoded_invalid(one), encoded_invalid(other)))
    assert both is not None
    assert (both.completion.text, both.answers, both.cost) == ("one", 4, 5)
    assert both.completion.usage == Usage(20, 10, 6, None)
    assert both_of(encoded_invalid(one), encoded_invalid(one)) == encoded_invalid(one)


@pytest.mark.parametrize("damaged", [0, 1])
def test_of_a_damaged_answer_nothing_is_added(invalid: MakeInvalid, damaged: int) -> None:
    rows = [encoded_invalid(invalid("k", "one")), encoded_invalid(invalid("k", "other"))]
    rows[damaged] = (*rows[damaged][:-1], 0)
    assert both_of(*rows) == rows[0]
