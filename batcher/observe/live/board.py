"""The latest state of a run, as all open pages are shown it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Board:
    """Holds one event, the latest: a page that is slow misses some and holds up nobody.

    Belongs to an event loop. `watched` says to other threads whether a page is open.
    """

    watched: threading.Event = field(default_factory=threading.Event)
    over: bool = False
    _event: str | None = None
    _number: int = 0
    _pages: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def show(self, event: str) -> None:
        """Show `event` to all pages from now on."""
        self._event = event
        self._number += 1
        self._tell()

    def end(self) -> None:
        """Tell all pages that there will be no more."""
        self.over = True
        self._tell()

    @contextlib.contextmanager
    def page(self) -> Iterator[None]:
        """Count a page that is open."""
        self._pages += 1
        self.watched.set()
        try:
            yield
        finally:
            self._pages -= 1
            if not self._pages:
                self.watched.clear()

    async def after(self, number: int) -> tuple[int, str] | None:
        """Return the number and the event that came after `number`, as soon as there is one.

        Numbers begin with 1. None says that there will be no more.
        """
        while not self.over:
            if self._event is not None and self._number > number:
                return self._number, self._event
            await self._news.wait()
        return None

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
