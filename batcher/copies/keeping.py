"""Copies made beside a run, now and then: no answer ever waits for one.

Two threads work: one gives signs of life, as an upload may take longer than others wait for one;
the other makes copies. They are daemons: what hangs in a store's library ends with the process.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from batcher.checkpoint import ClosedError
from batcher.copies.copying import Copying
from batcher.copies.latest import Copy
from batcher.copies.shelf import Shelf
from batcher.errors import BatcherError, Halt, LockedError

# How much longer than a copy took the next one has to wait: so most of the time none is made.
_TIMES = 10
# How long a process that is done waits for the store to hear of it.
LEAVE_S = 5.0


def _nothing(_halt: Halt) -> None:
    """Stop nothing: no calls are made."""


@dataclass(slots=True)
class Keeper:
    """Keeps the copy of a run current.

    `on_news` is told what a user should know, and `on_copy` of each copy; both from any thread.
    `lost` says why the run must stop, once another process has taken it over. `waited` waits for an
    event, or for so many seconds.
    """

    shelf: Shelf
    on_news: Callable[[str], None]
    on_copy: Callable[[Copy], None]
    monotonic: Callable[[], float] = time.monotonic
    waited: Callable[[threading.Event, float], bool] = threading.Event.wait
    lost: Halt | None = None
    _trouble: str | None = None
    _stop: Callable[[Halt], None] = _nothing
    _slow: bool = False
    _untidy: bool = False
    _ending: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Event = field(default_factory=threading.Event)
    _idle: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Give signs of life for the length of a `with` block; then say that nobody works."""
        self._idle.set()
        signs = threading.Thread(target=self._give_signs, name="signs of life", daemon=True)
        signs.start()
        try:
            yield
        finally:
            within = 0 if self._is_late else LEAVE_S
            self._ending.set()
            self._wake.set()
            leaving = threading.Thread(target=self._leave, name="leaving", daemon=True)
            leaving.start()
            leaving.join(within)

    def begin(self, copying: Copying) -> None:
        """Begin to make copies."""
        copier = threading.Thread(
            target=self._keep_copying, args=(copying,), name="copier", daemon=True
        )
        self._idle.clear()
        try:
            copier.start()
        finally:
            # A signal may have come before it began.
            if copier.ident is None:
                self._idle.set()

    @contextlib.contextmanager
    def halting(self, stop: Callable[[Halt], None]) -> Iterator[None]:
        """Have `stop` called in the block, from any thread, once the run must stop."""
        with self._lock:
            self._stop = stop
            if self.lost is not None:
                stop(self.lost)
        try:
            yield
        finally:
            with self._lock:
                self._stop = _nothing

    def hurry(self) -> None:
        """Have a copy made now: the time of this process is short."""
        self._wake.set()

    def end(self, check: Callable[[], None]) -> None:
        """Have the last copy made, and wait for it; `check` is called all the while.

        Whatever that raises ends the wait, which may be begun again. Else nobody waits any more.
        """
        self._ending.set()
        self._wake.set()
        # Not by `join`: a thread counts as dead once an exception has come while it was joined
        # (https://github.com/python/cpython/issues/90882).
        while not self._idle.wait(0.1):
            check()

    @property
    def trouble(self) -> str | None:
        """Why there is no copy of what was recorded last; None where there is, or will be."""
        return self._trouble or ("there was no time for it" if self._is_late else None)

    @property
    def _is_late(self) -> bool:
        """Whether the last copy is still being made, though the run has ended."""
        return self._ending.is_set() and not self._idle.is_set()

    def _give_signs(self) -> None:
        while not self.waited(self._ending, self.shelf.every) and self.lost is None:
            try:
                self.shelf.renew()
            except LockedError as error:
                self._lose(error)
            except Exception:  # noqa: BLE001, S112 -- the copier tells of a store that fails
                continue

    def _keep_copying(self, copying: Copying) -> None:
        try:
            while not self._ending.is_set() and self.lost is None:
                pause = self._copy(copying)
                self.waited(self._wake, pause)
                self._wake.clear()
            if self.lost is None:
                self._copy(copying, last=True)
        finally:
            self._idle.set()

    def _copy(self, copying: Copying, *, last: bool = False) -> float:
        """Try to make a copy; return the seconds in which no other is to begin."""
        began = self.monotonic()
        copy = None
        with self._troubled():
            copy = copying.copy(last=last)
        if copy is None:
            return self.shelf.every
        self.on_copy(copy)
        if copying.untidy is not None and not self._untidy:
            self._untidy = True
            self.on_news(f"Earlier copies of the checkpoint stay: {copying.untidy}")
        took = self.monotonic() - began
        pause = max(self.shelf.every, _TIMES * took) - took
        if pause > self.shelf.every and not self._slow:
            self._slow = True
            self.on_news(
                f"A copy of the checkpoint takes {took:,.1f} s, so one is made every "
                f"{_TIMES * took:,.0f} s, not every {self.shelf.every:,.0f} s"
            )
        return pause

    @contextlib.contextmanager
    def _troubled(self) -> Iterator[None]:
        """Take down what goes wrong with a copy; the run goes on."""
        try:
            yield
        except LockedError as error:
            self._lose(error)
        except ClosedError:
            # Nobody waited for it any more, and the user was told.
            pass
        except Exception as error:  # noqa: BLE001 -- whatever it is, every answer is here
            known = isinstance(error, BatcherError)
            reason = str(error) if known else f"{type(error).__name__}: {error}"
            first, self._trouble = self._trouble is None, reason
            if first:
                self.on_news(
                    f"The copy of the checkpoint is not current: {reason}. The run goes on, and "
                    f"it is tried again every {self.shelf.every:,.0f} s"
                )
        else:
            if self._trouble is not None:
                self._trouble = None
                self.on_news(
                    f"The copy of the checkpoint at {self.shelf.store.url} is current again"
                )

    def _lose(self, error: LockedError) -> None:
        """Have the run stop."""
        with self._lock:
            self.lost = Halt(str(error))
            self._stop(self.lost)

    def _leave(self) -> None:
        # Most often the last copy says so already.
        self._idle.wait()
        if self.lost is None:
            # Else others find out by its silence.
            with contextlib.suppress(Exception):
                self.shelf.release()
