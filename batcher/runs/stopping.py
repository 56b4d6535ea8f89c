"""How a run is asked to end: by signals in the main thread, elsewhere by another thread."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar, TypeVarTuple

from batcher.errors import Interruption
from batcher.storage import Stop, never

Value = TypeVar("Value")
Given = TypeVarTuple("Given")

Check = Callable[[], None]
"""Called now and then by what takes long; raises Interruption where the run is to end."""


def go_on() -> None:
    """Let it go on: nobody wants it to end."""


def asking(check: Check) -> Stop:
    """Return `check` for who asks whether nobody waits any more: then it raises."""

    def stop() -> bool:
        check()
        return False

    return never if check is go_on else stop


def checked(values: Iterable[Value], check: Check) -> Iterator[Value]:
    """Yield `values`, and call `check` before each."""
    for value in values:
        check()
        yield value


def soon(do: Callable[[*Given], object]) -> Callable[[*Given], None]:
    """Return what has the loop that runs now do it, from any thread; once that is over, nobody."""
    loop = asyncio.get_running_loop()

    def told(*given: *Given) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(do, *given)

    return told


class Stopping(Protocol):
    """Hears of whoever wants a run to end."""

    def interruptible(self, within: float | None = None) -> AbstractContextManager[Check]:
        """Let a stop end the block, or the passing of `within` seconds.

        Raises:
            Interruption: one of them did, at any moment or when the block calls what it is given.
        """

    def calling(self, stop: Callable[[signal.Signals], None]) -> AbstractContextManager[None]:
        """Hand each stop to `stop` for the length of the block, in the event loop that runs."""

    def held(self) -> AbstractContextManager[None]:
        """Have each stop wait for the end of the block, or for one within that hears of it."""


class Hearing:
    """A `Stopping` like `inner`, which knows when it was asked to end, and whether twice."""

    def __init__(self, inner: Stopping, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take the time of `monotonic`."""
        self._inner = inner
        self._monotonic = monotonic
        self.first_at: float | None = None
        self.twice = False

    @contextlib.contextmanager
    def interruptible(self, within: float | None = None) -> Iterator[Check]:
        """See `Stopping.interruptible`."""
        with self._inner.interruptible(within) as check:
            try:
                yield check
            except Interruption:
                self._hear()
                raise

    @contextlib.contextmanager
    def calling(self, stop: Callable[[signal.Signals], None]) -> Iterator[None]:
        """See `Stopping.calling`."""

        def heard(number: signal.Signals) -> None:
            self._hear()
            stop(number)

        with self._inner.calling(heard):
            yield

    def held(self) -> AbstractContextManager[None]:
        """See `Stopping.held`."""
        return self._inner.held()

    def _hear(self) -> None:
        self.twice = self.first_at is not None
        if self.first_at is None:
            self.first_at = self._monotonic()


class Asked:
    """A run in a thread that no signal reaches, asked to end by whoever waits for it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take the time of `monotonic`."""
        self._monotonic = monotonic
        # The handler of a signal may come while its own thread asks.
        self._lock = threading.RLock()
        self._unheard: list[signal.Signals] = []
        self._tell: Callable[[], object] | None = None

    def ask(self, number: signal.Signals = signal.SIGINT) -> None:
        """Ask the run to end, from any thread and any handler; asked again, it does so at once."""
        with self._lock:
            self._unheard.append(number)
            if self._tell is not None:
                self._tell()

    @contextlib.contextmanager
    def interruptible(self, within: float | None = None) -> Iterator[Check]:
        """See `Stopping.interruptible`."""
        until = None if within is None else self._monotonic() + within

        def check() -> None:
            if self._unheard or (until is not None and self._monotonic() >= until):
                raise Interruption(next(iter(self._unheard), signal.SIGINT))

        try:
            yield check
        except Interruption:
            # Heard: what follows the block is ended by another one only.
            with self._lock:
                del self._unheard[:1]
            raise

    @contextlib.contextmanager
    def calling(self, stop: Callable[[signal.Signals], None]) -> Iterator[None]:
        """See `Stopping.calling`."""

        def hear() -> None:
            with self._lock:
                heard, self._unheard = self._unheard, []
            for number in heard:
                stop(number)

        with self._lock:
            self._tell = soon(hear)
            # It may have been asked before there was a loop.
            self._tell()
        try:
            yield
        finally:
            with self._lock:
                self._tell = None

    def held(self) -> AbstractContextManager[None]:
        """See `Stopping.held`; nothing comes at any moment here."""
        return contextlib.nullcontext()
