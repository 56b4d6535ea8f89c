"""A bounded pool: the next request is pulled only when there is room for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from batcher.engine.retry import RowPendingError
from batcher.records import Request

# Rows that back off hold no permit, so others may be called meanwhile; but what is pulled and
# not finished stays bounded, and with it the memory and the work that a crash repeats.
ROWS_PER_PERMIT = 2


async def run_pool(
    requests: AsyncIterator[Request],
    settle: Callable[[Request], Awaitable[None]],
    *,
    width: int,
    stopping: asyncio.Event,
) -> None:
    """Settle each request, at most `width` of them unfinished at any moment.

    A row for which `settle` raises RowPendingError stays pending. When `stopping` is set no further
    request is pulled, and the unfinished ones are waited for. Any other exception cancels
    the rest and is raised as it is.
    """
    room = asyncio.Semaphore(width)

    async def work(request: Request) -> None:
        with contextlib.suppress(RowPendingError):
            await settle(request)

    try:
        async with asyncio.TaskGroup() as tasks:
            while True:
                await room.acquire()
                request = None if stopping.is_set() else await anext(requests, None)
                if request is None or stopping.is_set():
                    break
                # Room is made after the group has seen how the row ended: when it failed, the
                # group is cancelled before another request can be pulled.
                tasks.create_task(work(request)).add_done_callback(lambda _: room.release())
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
