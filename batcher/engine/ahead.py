"""Amounts that are put down for good before they are used: ahead of need, beside the loop.

A kill may leave uncounted what was begun and not recorded. So what may be begun is on the disk
before; and since a disk may be slow, calls wait for it, never the loop.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable


class Ahead:
    """An amount that only grows, and how far it is put down."""

    def __init__(
        self, amount: int, write: Callable[[int], Awaitable[None]], on_written: Callable[[], None]
    ) -> None:
        """Know that `amount` is put down; more is by `write`, and `on_written` hears of its end."""
        self._amount = amount
        self._write = write
        self._on_written = on_written
        self._writing: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None

    def covers(self, needed: int, ahead: int) -> bool:
        """Return whether `needed` is put down.

        Once less than half of `ahead` is left behind it, `needed` and `ahead` are being put down.

        Raises:
            Exception: what a write failed with; there is no other.
        """
        if self._failure is not None:
            raise self._failure
        if self._writing is None and needed + ahead // 2 > self._amount:
            self._writing = asyncio.ensure_future(self._write(needed + ahead))
            self._writing.add_done_callback(functools.partial(self._written, needed + ahead))
        return needed <= self._amount

    async def end(self, amount: int) -> None:
        """Put down what the amount came to in the end, be it less.

        Raises:
            Exception: what this or an earlier write failed with.
        """
        if self._writing is not None:
            await asyncio.wait({self._writing})
        if self._failure is not None:
            raise self._failure
        if amount != self._amount:
            await self._write(amount)

    def _written(self, amount: int, writing: asyncio.Future[None]) -> None:
        self._writing = None
        if writing.cancelled():
            return
        self._failure = writing.exception()
        if self._failure is None:
            self._amount = amount
        self._on_written()
