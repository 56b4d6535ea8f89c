"""What the end of a call says of the endpoint."""

from __future__ import annotations

import pytest

from batcher.engine.policy.signal import Signal, signal_of
from batcher.errors import Action, ErrorClass

_TROUBLES = {
    ErrorClass.THROTTLED: Signal.THROTTLED,
    ErrorClass.AMBIGUOUS: Signal.LOST,
    ErrorClass.OVERLOADED: Signal.FAILED,
    ErrorClass.SERVER_ERROR: Signal.FAILED,
    ErrorClass.NOT_SENT: Signal.FAILED,
    ErrorClass.INFERENCE_FAILED: Signal.FAILED,
    ErrorClass.MALFORMED_ANSWER: Signal.FAILED,
}


@pytest.mark.parametrize(("error_class", "signal"), _TROUBLES.items())
def test_each_trouble_of_an_endpoint_is_told_from_the_others(
    error_class: ErrorClass, signal: Signal
) -> None:
    assert signal_of(error_class) is signal


@pytest.mark.parametrize("error_class", [each for each in ErrorClass if each not in _TROUBLES])
def test_an_endpoint_that_refuses_a_row_or_an_account_has_answered(error_class: ErrorClass) -> None:
    assert signal_of(error_class) is Signal.ANSWERED


@pytest.mark.parametrize(
    "error_class", [each for each in ErrorClass if each.rule.action is not Action.RETRY]
)
def test_what_another_try_does_not_mend_says_nothing_against_the_endpoint(
    error_class: ErrorClass,
) -> None:
    assert signal_of(error_class) is Signal.ANSWERED
