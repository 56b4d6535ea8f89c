"""A bounded pool: the next request is pulled only when there is room for it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

from batcher.engine.admission import RowPendingError

# Requests at hand are held twice while they are sent, as values and as bytes.
MOST_BYTES = 64 * 1024 * 1024


class _Sized(Protocol):
    @property
    def size(self) -> int:
        """About how many bytes are held for it."""


_Row = TypeVar("_Row", bound=_Sized)


async def run_pool(
    requests: AsyncIterator[_Row],
    settle: Callable[[_Row], Awaitable[None]],
    *,
    width: Callable[[], int],
    changed: asyncio.Event,
    stopping: asyncio.Event,
    most_bytes: int = MOST_BYTES,
) -> None:
    """Settle each request; fewer than `width` and `most_bytes` are unfinished when one is pulled.

    Whoever makes `width` larger sets `changed`.
    A row for which `settle` raises RowPendingError stays pending. When `stopping` is set no further
    request is pulled, and the unfinished ones are waited for. Any other exception cancels
    the rest and is raised as it is.
    """
    unfinished = size = 0

    async def work(request: _Row) -> None:
        with contextlib.suppress(RowPendingError):
            await settle(request)

    def ended(request: _Row, _: asyncio.Task[None]) -> None:
        # Room is made after the group has seen how the row ended: when it failed, the group is
        # cancelled before another request can be pulled.
        nonlocal unfinished, size
        unfinished -= 1
        size -= request.size
        changed.set()

    try:
        async with asyncio.TaskGroup() as tasks:
            while True:
                while unfinished >= width() or size >= most_bytes:
                    changed.clear()
                    await changed.wait()
                request = None if stopping.is_set() else await anext(requests, None)
                if request is None or stopping.is_set():
                    break
                unfinished += 1
                size += request.size
                done = functools.partial(ended, request)
                tasks.create_task(work(request)).add_done_callback(done)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
