"""Signals: what ends a run in the main thread, the only one that hears them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from types import FrameType

from batcher.errors import Interruption
from batcher.runs.stopping import Check, go_on, soon


def heeded_signals() -> list[signal.Signals]:
    """Return the signals that end a run, less those that whoever started it had it ignore.

    `nohup` ignores SIGHUP, a shell's `&` may ignore SIGINT: that is their word to keep. So is a
    handler that was set outside of Python, which could not be put back.
    """
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = (signal.SIG_IGN, None)
    return [number for number in ending if signal.getsignal(number) not in kept]


_ONE_WORD_S = 1.0

_Hear = Callable[[signal.Signals], None]


class Signals:
    """A `Stopping` for the main thread.

    At each moment one block hears the signals: the innermost one. The handlers are set once, by the
    outermost, and who hears changes in one step, so that no signal falls between two blocks. What
    was held is heard by the next block, and what is left by those around.

    SIGTERM or SIGHUP twice within a second are one: `timeout` and a machine that shuts down tell
    every process of a group, and a wrapper that was told passes it on. Who presses Ctrl-C twice
    means it.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take the time of `monotonic`."""
        self._monotonic = monotonic
        self._first: tuple[signal.Signals, float] | None = None
        self._unheard: list[signal.Signals] = []
        self._hold: _Hear = self._unheard.append
        self._hear: _Hear | None = None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._hear is None:
            self._hold(signal.Signals(number))
        elif not self._is_echo(signal.Signals(number)):
            self._hear(signal.Signals(number))

    def _is_echo(self, number: signal.Signals) -> bool:
        """Return whether this is the first signal told again."""
        now = self._monotonic()
        if self._first is None:
            self._first = (number, now)
            return False
        first, since = self._first
        return number is first is not signal.SIGINT and now - since < _ONE_WORD_S

    @contextlib.contextmanager
    def _heard_by(self, hear: _Hear) -> Iterator[None]:
        """Let `hear` hear the signals of the block."""
        around = self._hear
        before = {} if around else {number: signal.getsignal(number) for number in heeded_signals()}
        try:
            self._hear = hear
            for number in before:
                signal.signal(number, self._handle)
            self._pass_on(hear)
            yield
        finally:
            self._hear = around
            for number, handler in before.items():
                signal.signal(number, handler)
            self._pass_on(around or signal.raise_signal)

    def _pass_on(self, hear: _Hear) -> None:
        """Let `hear` hear what nobody has heard of."""
        while self._unheard and hear is not self._hold:
            hear(self._unheard.pop(0))

    @contextlib.contextmanager
    def interruptible(self, within: float | None = None) -> Iterator[Check]:
        """See `Stopping.interruptible`; signals come as exceptions, wherever the block is."""
        with self._heard_by(_interrupt), _ending_in(within):
            # A signal interrupts without being looked for.
            yield go_on

    @contextlib.contextmanager
    def calling(self, stop: Callable[[signal.Signals], None]) -> Iterator[None]:
        """See `Stopping.calling`."""
        with _woken(asyncio.get_running_loop()), self._heard_by(soon(stop)):
            yield

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """See `Stopping.held`."""
        with self._heard_by(self._hold):
            yield


def _interrupt(number: signal.Signals) -> None:
    raise Interruption(number)


@contextlib.contextmanager
def _ending_in(within: float | None) -> Iterator[None]:
    """End the block with an Interruption once so many seconds have passed."""
    if within is None:
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        _interrupt(signal.Signals(number))

    before = signal.signal(signal.SIGALRM, end)
    try:
        # 0 would mean never.
        signal.setitimer(signal.ITIMER_REAL, max(within, 1e-6))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _woken(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have each signal wake the loop, whichever thread the system lets it interrupt."""
    heard, told = socket.socketpair()
    with heard, told:
        for end in (heard, told):
            end.settimeout(0)
        loop.add_reader(heard, heard.recv, 4096)
        # More signals than the loop can note are no news.
        before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(heard)
