"""Which thread may use what a checkpoint keeps open, until that is closed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType

import pytest

from batcher.checkpoint.access import Access, ClosedError
from batcher.errors import DiskFullError, Interruption, StorageError

_PATIENCE_S = 60.0
_USES: list[Callable[[Access], AbstractContextManager[None]]] = [
    Access.writing,
    Access.syncing,
    Access.backing_up,
]


@pytest.fixture
def access() -> Access:
    return Access(Path("checkpoint.db"))


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    """Set once this process was told to end, which the main thread hears of by an exception."""
    event = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        event.set()
        raise Interruption(signal.Signals(number))

    before = signal.signal(signal.SIGTERM, end)
    yield event
    signal.signal(signal.SIGTERM, before)


def _at_it(
    access: Access, use: Callable[[Access], AbstractContextManager[None]], until: Callable[[], None]
) -> tuple[threading.Thread, list[str]]:
    """Return a thread that uses the checkpoint `until` then, and what it has to say."""
    began, said = threading.Event(), list[str]()

    def work() -> None:
        with use(access):
            began.set()
            until()
            said.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    assert began.wait(_PATIENCE_S)
    return thread, said


@pytest.mark.parametrize("use", _USES)
def test_whoever_uses_it_is_waited_for(
    access: Access, use: Callable[[Access], AbstractContextManager[None]]
) -> None:
    def closing() -> None:
        while not access._closing:
            pass

    thread, said = _at_it(access, use, closing)
    access.end()
    assert said == ["done"]
    thread.join()


@pytest.mark.parametrize("use", _USES)
def test_a_signal_does_not_end_that_wait_and_is_raised_after_it(
    access: Access,
    heard: threading.Event,
    use: Callable[[Access], AbstractContextManager[None]],
) -> None:
    """Else SQLite would be closed under the thread that uses it."""

    def told() -> None:
        while not access._closing:
            pass
        main = threading.main_thread().ident
        assert main is not None
        # Of one that comes just before the wait begins, the main thread would hear after it.
        while not heard.wait(0.01):
            signal.pthread_kill(main, signal.SIGTERM)

    thread, said = _at_it(access, use, told)
    with pytest.raises(Interruption):
        access.end()
    assert said == ["done"]
    thread.join()


def test_once_it_is_closed_nobody_uses_it(access: Access) -> None:
    access.go_on()
    access.end()
    for use in (access.writing, access.syncing):
        with pytest.raises(ClosedError), use():
            pass
    with pytest.raises(ClosedError):
        access.go_on()


def test_what_failed_once_fails_for_all_but_a_full_disk_can_be_tried_again(access: Access) -> None:
    with pytest.raises(DiskFullError), access.writing():
        raise DiskFullError
    failed = StorageError("the disk failed")
    with pytest.raises(StorageError), access.writing():
        raise failed
    with pytest.raises(StorageError, match="the disk failed"), access.syncing():
        pass
