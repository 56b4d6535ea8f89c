"""What a watcher of a run is told. A watcher only shows; it never changes the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from batcher.observe.tally import Tally
from batcher.records import Attempt


class Watcher(Protocol):
    """Sees a run happen."""

    def started(self, tally: Tally, in_flight: Callable[[], int]) -> None:
        """Calls are about to be made; `tally` and `in_flight` stay current from now on."""

    def attempted(self, row: int, attempt: Attempt) -> None:
        """An attempt has ended, well or not."""

    def pulse(self) -> None:
        """About half a second has passed."""

    def finished(self) -> None:
        """No more calls will be made."""
