"""Signals as exceptions, for the parts of a run that no event loop watches."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable, Iterator
from types import FrameType

from batcher.errors import Interruption


def heeded_signals() -> list[signal.Signals]:
    """Return the signals that end a run, less those that whoever started it had it ignore.

    `nohup` ignores SIGHUP, a shell's `&` may ignore SIGINT: that is their word to keep.
    """
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [number for number in ending if signal.getsignal(number) is not signal.SIG_IGN]


@contextlib.contextmanager
def held_back(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Let signals come only after the block: none must meet it between two handlers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def interruptible(within: float | None = None) -> Iterator[None]:
    """Let a signal end the block, or the passing of `within` seconds.

    Raises:
        Interruption: one of them did.
    """

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise Interruption(signal.Signals(number))

    numbers = [*heeded_signals(), *([] if within is None else [signal.SIGALRM])]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        if within is not None:
            # 0 would mean never.
            signal.setitimer(signal.ITIMER_REAL, max(within, 1e-6))
        yield
    finally:
        if within is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
