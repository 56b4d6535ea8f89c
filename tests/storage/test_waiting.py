"""Work that is waited for, as far as anyone waits."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from batcher.errors import Interruption
from batcher.runs.signals import Signals
from batcher.storage.waiting import GivenUpError, at_work, waited


@pytest.fixture
def silent() -> Iterator[threading.Event]:
    """Return what work waits for that never ends by itself."""
    over = threading.Event()
    yield over
    over.set()


def test_what_work_returns_is_returned() -> None:
    assert waited(lambda: 7) == 7


def test_what_work_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        waited(lambda: 1 // 0)


def test_a_timeout_of_the_work_itself_is_no_timeout_of_the_wait() -> None:
    def work() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        waited(work, 60)


def test_work_that_does_not_end_in_time_is_left_alone(silent: threading.Event) -> None:
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        waited(silent.wait, 0)
    assert at_work()


def test_who_waits_is_asked_whether_they_still_do(silent: threading.Event) -> None:
    asked = iter([False, False, True])
    with pytest.raises(GivenUpError):
        waited(silent.wait, None, lambda: next(asked))


def test_a_signal_ends_the_wait(silent: threading.Event) -> None:
    def work() -> None:
        # Not in this thread, whose signals would not wake the one that waits.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        silent.wait()

    with Signals().interruptible(), pytest.raises(Interruption):
        waited(work, 60)
