"""The two trees of errors, and what follows from each."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime

import pytest

from batcher import errors
from batcher.errors import (
    Action,
    BatcherError,
    ErrorClass,
    Interruption,
    LockedError,
    Problem,
    ProviderError,
    RowError,
    RowsPendingError,
)
from batcher.limits import RateLimit, RateLimits

# reliability.md section E.
EXIT_CODES = {2, 65, 70, 73, 74, 75, 77, 78}


def _family(error: type[BatcherError]) -> list[type[BatcherError]]:
    return [error, *(member for child in error.__subclasses__() for member in _family(child))]


def test_the_drawn_tree_is_the_tree_of_classes_with_their_exit_codes() -> None:
    drawn = re.findall(r"(\w+Error) +(\d+)  ", errors.__doc__ or "")
    assert drawn == [(error.__name__, str(error.exit_code)) for error in _family(BatcherError)]


def test_every_exit_code_is_one_that_schedulers_are_told_of() -> None:
    used = {error.exit_code for error in _family(BatcherError)}
    used |= {error_class.rule.exit_code for error_class in ErrorClass}
    assert used == EXIT_CODES


def test_whoever_catches_pending_rows_catches_a_held_lock() -> None:
    assert issubclass(LockedError, RowsPendingError)


@pytest.mark.parametrize("error_class", ErrorClass)
def test_each_class_has_a_rule_whose_hint_is_one_sentence(error_class: ErrorClass) -> None:
    hint = error_class.rule.hint
    assert re.fullmatch(r"[A-Z][^\n]*[^.\s]\.", hint)
    assert ". " not in hint


def test_classes_are_named_in_files_as_in_code() -> None:
    assert all(error_class.value == error_class.name.lower() for error_class in ErrorClass)


def test_only_what_says_nothing_about_the_row_does_not_count() -> None:
    """reliability.md section C: throttles never count; nor does a token, which is no row's."""
    free = {error_class for error_class in ErrorClass if not error_class.rule.counts}
    assert free == {
        ErrorClass.THROTTLED,
        ErrorClass.QUOTA_EXHAUSTED,
        ErrorClass.TOKEN_EXPIRED,
    }


def test_what_follows_from_each_class() -> None:
    """protocol.md section 3: P, W, F and M; all others are worth another try."""
    actions = {
        action: {error_class for error_class in ErrorClass if error_class.rule.action is action}
        for action in Action
    }
    assert actions[Action.FAIL_ROW] == {
        ErrorClass.INVALID_ROW,
        ErrorClass.DUPLICATE_ID,
        ErrorClass.TEMPLATE_ERROR,
        ErrorClass.BAD_REQUEST,
        ErrorClass.PROMPT_TOO_LONG,
        ErrorClass.CONTENT_FILTERED,
        ErrorClass.INVALID_OUTPUT,
    }
    assert actions[Action.WAIT] == {ErrorClass.QUOTA_EXHAUSTED}
    assert {(kind, kind.rule.exit_code) for kind in actions[Action.STOP_RUN]} == {
        (ErrorClass.AUTHENTICATION, 77),
        (ErrorClass.BALANCE, 77),
        (ErrorClass.PERMISSION, 77),
        (ErrorClass.MODEL_UNAVAILABLE, 78),
        (ErrorClass.ENDPOINT_UNKNOWN, 78),
    }


def test_a_provider_error_carries_its_problem_and_when_to_try_again() -> None:
    problem = Problem(ErrorClass.QUOTA_EXHAUSTED, "used up", "1308", 429)
    moment = datetime(2026, 8, 25, tzinfo=UTC)
    limits = RateLimits(RateLimit(60, 0))
    error = ProviderError(problem, retry_after=2.5, resets_at=moment, rate_limits=limits)
    assert (str(error), error.problem) == ("used up", problem)
    assert (error.retry_after, error.resets_at, error.rate_limits) == (2.5, moment, limits)
    bare = ProviderError(problem)
    assert (bare.retry_after, bare.resets_at, bare.rate_limits) == (None, None, None)


def test_a_row_error_is_a_problem_without_a_call() -> None:
    error = RowError(ErrorClass.INVALID_ROW, "no prompt")
    assert str(error) == "no prompt"
    assert error.problem == Problem(ErrorClass.INVALID_ROW, "no prompt", None, None)


@pytest.mark.parametrize("error", [ProviderError, RowError])
def test_what_concerns_one_row_ends_no_command(error: type[Exception]) -> None:
    assert not issubclass(error, BatcherError)


def test_an_interruption_is_no_error_and_names_its_signal() -> None:
    interruption = Interruption(signal.SIGTERM)
    assert interruption.number is signal.SIGTERM
    assert str(interruption) == "SIGTERM"
    assert not isinstance(interruption, Exception)
