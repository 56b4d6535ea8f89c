"""What a watcher of a run is told. A watcher only shows; it never changes the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from batcher.limits import Flow
from batcher.observe.tally import Tally
from batcher.records import Exchange


class Watcher(Protocol):
    """Sees a run happen."""

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        """Calls are about to be made; `tally` and `flow` stay current from now on."""

    def attempted(self, row: int, exchange: Exchange) -> None:
        """A call for a row of the input, or for one of its samples, has ended, well or not."""

    def pulse(self) -> None:
        """About half a second has passed."""

    def notice(self, text: str) -> None:
        """Something the user should know now, as a sentence: why calls stop, what was cut."""

    def finished(self) -> None:
        """No more calls will be made."""


class Watchers:
    """Several watchers as one.

    A watcher that fails, by its terminal, its disk or a mistake, is told nothing more: showing
    never stops a run.
    """

    def __init__(self, *watchers: Watcher) -> None:
        """Tell each of `watchers`, in this order."""
        self._watchers = list(watchers)

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        """See `Watcher.started`."""
        self._tell(lambda watcher: watcher.started(tally, flow))

    def attempted(self, row: int, exchange: Exchange) -> None:
        """See `Watcher.attempted`."""
        self._tell(lambda watcher: watcher.attempted(row, exchange))

    def pulse(self) -> None:
        """See `Watcher.pulse`."""
        self._tell(lambda watcher: watcher.pulse())

    def notice(self, text: str) -> None:
        """See `Watcher.notice`."""
        self._tell(lambda watcher: watcher.notice(text))

    def finished(self) -> None:
        """See `Watcher.finished`."""
        self._tell(lambda watcher: watcher.finished())

    def _tell(self, what: Callable[[Watcher], None]) -> None:
        for watcher in tuple(self._watchers):
            try:
                what(watcher)
            except OSError:
                self._watchers.remove(watcher)
            except Exception as error:  # noqa: BLE001 -- an answer that was paid may be on its way
                self._watchers.remove(watcher)
                name = type(watcher).__name__
                self.notice(f"{name} fails ({type(error).__name__}); the run goes on without it")
