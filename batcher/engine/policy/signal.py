"""What the end of a call says of the endpoint."""

from __future__ import annotations

from enum import Enum, auto

from batcher.errors import ErrorClass


class Signal(Enum):
    """How a call ended, in the eyes of limit and breaker."""

    ANSWERED = auto()  # a completion, or a refusal that concerns the row or the account
    THROTTLED = auto()  # too many calls
    LOST = auto()  # sent, and no whole answer in time
    FAILED = auto()  # the endpoint could not answer, or was not reached


_SIGNALS = {
    ErrorClass.THROTTLED: Signal.THROTTLED,
    ErrorClass.AMBIGUOUS: Signal.LOST,
    ErrorClass.OVERLOADED: Signal.FAILED,
    ErrorClass.SERVER_ERROR: Signal.FAILED,
    ErrorClass.NOT_SENT: Signal.FAILED,
    ErrorClass.INFERENCE_FAILED: Signal.FAILED,
    # What a gateway says in an outage is often a page of HTML.
    ErrorClass.MALFORMED_ANSWER: Signal.FAILED,
}


def signal_of(error_class: ErrorClass) -> Signal:
    """Return what a failed call says of the endpoint."""
    return _SIGNALS.get(error_class, Signal.ANSWERED)
