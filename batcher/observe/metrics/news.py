"""What other threads have to say, told where watchers are told: on the event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from batcher.limits import Flow
from batcher.observe.tally import Tally
from batcher.records import Exchange


class News:
    """A watcher that passes on what threads `tell` it, at the next pulse."""

    def __init__(self, on_notice: Callable[[str], None]) -> None:
        """Pass it on to `on_notice`."""
        self._on_notice = on_notice
        self._untold: deque[str] = deque()

    def tell(self, text: str) -> None:
        """Have a sentence passed on; from any thread."""
        self._untold.append(text)

    def pulse(self) -> None:
        """Pass on what there is; also called at the very end, when no loop runs any more."""
        while self._untold:
            self._on_notice(self._untold.popleft())

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        """Nothing: the first pulse comes at once."""

    def attempted(self, row: int, exchange: Exchange) -> None:
        """Nothing: threads tell of no call."""

    def notice(self, text: str) -> None:
        """Nothing: it comes from here, or from elsewhere."""

    def finished(self) -> None:
        """Pass on what there is."""
        self.pulse()
