"""Signals: what ends a run in the main thread, the only one that hears them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

from batcher.errors import Interruption
from batcher.runs.stopping import Check, go_on


def heeded_signals() -> list[signal.Signals]:
    """Return the signals that end a run, less those that whoever started it had it ignore.

    `nohup` ignores SIGHUP, a shell's `&` may ignore SIGINT: that is their word to keep. So is a
    handler that was set outside of Python, which could not be put back.
    """
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = (signal.SIG_IGN, None)
    return [number for number in ending if signal.getsignal(number) not in kept]


@contextlib.contextmanager
def held_back(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Let signals come only after the block: none must meet it between two handlers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_ONE_WORD_S = 1.0


class Signals:
    """A `Stopping` for the main thread.

    SIGTERM or SIGHUP twice within a second are one: `timeout` and a machine that shuts down tell
    every process of a group, and a wrapper that was told passes it on. Who presses Ctrl-C twice
    means it.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take the time of `monotonic`."""
        self._monotonic = monotonic
        self._first: tuple[signal.Signals, float] | None = None

    def _is_echo(self, number: signal.Signals) -> bool:
        """Return whether this is the first signal told again."""
        now = self._monotonic()
        if self._first is None:
            self._first = (number, now)
            return False
        first, since = self._first
        return number is first is not signal.SIGINT and now - since < _ONE_WORD_S

    @contextlib.contextmanager
    def interruptible(self, within: float | None = None) -> Iterator[Check]:
        """See `Stopping.interruptible`; signals come as exceptions, wherever the block is."""

        def interrupt(number: int, _frame: FrameType | None) -> None:
            # An alarm is nobody's word.
            if number == signal.SIGALRM or not self._is_echo(signal.Signals(number)):
                raise Interruption(signal.Signals(number))

        numbers = [*heeded_signals(), *([] if within is None else [signal.SIGALRM])]
        before = {number: signal.signal(number, interrupt) for number in numbers}
        try:
            if within is not None:
                # 0 would mean never.
                signal.setitimer(signal.ITIMER_REAL, max(within, 1e-6))
            # A signal interrupts without being looked for.
            yield go_on
        finally:
            if within is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def calling(self, stop: Callable[[signal.Signals], None]) -> Iterator[None]:
        """See `Stopping.calling`."""
        loop = asyncio.get_running_loop()

        def heard(number: signal.Signals) -> None:
            if not self._is_echo(number):
                stop(number)

        before = {number: signal.getsignal(number) for number in heeded_signals()}
        for number in before:
            loop.add_signal_handler(number, heard, number)
        # More signals than the loop can note are no news; it knows of the first.
        signal.set_wakeup_fd(signal.set_wakeup_fd(-1), warn_on_full_buffer=False)
        try:
            yield
        finally:
            with held_back(before):
                for number, handler in before.items():
                    loop.remove_signal_handler(number)
                    signal.signal(number, handler)
