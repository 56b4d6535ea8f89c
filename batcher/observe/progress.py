"""The bar on a terminal or in a notebook."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TextIO

from tqdm import tqdm

from batcher.limits import Flow
from batcher.observe.tally import Tally
from batcher.records import Exchange


class ProgressBar:
    """A watcher: rows done of total, rows/s, tokens/s, errors, retries, in flight, time left."""

    def __init__(
        self,
        stream: TextIO,
        monotonic: Callable[[], float] = time.monotonic,
        bar: type[tqdm[Any]] = tqdm,
    ) -> None:
        """Draw a `bar` of tqdm's on `stream` from `started` on."""
        self._stream = stream
        self._monotonic = monotonic
        self._make = bar

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        """Draw the bar."""
        self._tally = tally
        self._flow = flow
        self._since = self._monotonic()
        self._bar = self._make(
            total=tally.goal,
            initial=tally.done_before,
            unit="row",
            file=self._stream,
            dynamic_ncols=True,
            smoothing=0.1,
        )

    def attempted(self, row: int, exchange: Exchange) -> None:
        """Nothing: attempts show as counts at the next pulse."""

    def pulse(self) -> None:
        """Draw the present state."""
        tally, flow = self._tally, self._flow()
        seconds = max(self._monotonic() - self._since, 1e-9)
        self._bar.total = tally.goal
        self._bar.set_postfix_str(
            f"{(tally.prompt_tokens + tally.completion_tokens) / seconds:,.0f} tok/s, "
            f"errors {tally.failures}, retries {tally.retries}, "
            + (flow.waiting or f"in flight {flow.in_flight} of {flow.limit}"),
            refresh=False,
        )
        self._bar.update(tally.done_before + tally.rows - self._bar.n)
        self._bar.refresh()

    def notice(self, text: str) -> None:
        """Write it above the bar."""
        # By the class, since there may be news before the bar is drawn.
        self._make.write(text, file=self._stream)

    def finished(self) -> None:
        """Draw the last state and leave it standing."""
        self.pulse()
        self._bar.close()
