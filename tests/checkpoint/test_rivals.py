"""Two outcomes, of which one is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from batcher.checkpoint.encoding import decoded, encoded
from batcher.checkpoint.rivals import moved, one_of
from batcher.records import Failure, Outcome, Success

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]


def _kept(first: Outcome, second: Outcome) -> tuple[object, ...]:
    """Return finished_at of what is kept, and the key of what is set aside."""
    kept = one_of(encoded(first), encoded(second))
    row = decoded(kept.row)
    assert row is not None
    aside = decoded(kept.aside) if kept.aside else None
    return row.finished_at, aside and aside.key


def test_a_result_counts_more_than_an_error_and_that_more_than_a_row_without_a_call(
    success: MakeSuccess, failure: MakeFailure
) -> None:
    result = success(0)
    error = replace(failure(0, key="key-id-0"), finished_at=3.0)
    bad = replace(failure(0), finished_at=4.0)
    for best, other in ((result, error), (error, bad), (result, bad)):
        at = round(best.finished_at * 1_000_000)
        assert _kept(best, other)[0] == _kept(other, best)[0] == at
        assert _kept(best, other)[1] is None


def test_of_two_alike_the_first_stays(success: MakeSuccess, failure: MakeFailure) -> None:
    later = replace(success(0), finished_at=5.0)
    assert _kept(success(0), later) == (2_000_000, None)
    assert _kept(later, success(0)) == (5_000_000, None)
    assert _kept(failure(0), replace(failure(0), finished_at=9.0))[0] == 2_000_000


def test_a_paid_outcome_of_another_key_is_set_aside(
    success: MakeSuccess, failure: MakeFailure
) -> None:
    other = failure(0, key="other")
    assert _kept(success(0), other) == (2_000_000, "other")
    assert _kept(other, success(0)) == (2_000_000, "other")


def test_an_outcome_moves_to_another_row_as_it_is(success: MakeSuccess) -> None:
    found = decoded(moved(encoded(success(4, key="k")), encoded(success(1, key="k"))))
    assert found is not None
    assert (found.row, found.source, found.id) == (1, "prompts.jsonl:2", "id-4")
