"""The yardstick: what a loop over a well-known SDK does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from batcher.engine.policy.breaker import Uniform
from batcher.errors import ProviderError
from batcher.records import Request

WORKERS = 64
# openai-python, _constants.py and _base_client.py: two retries, 0.5 s doubled up to 8 s, less
# up to a quarter of it.
RETRIES = 2
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 8.0


async def run_naively(
    call: Callable[[Request, str], Awaitable[object]],
    requests: Iterable[Request],
    uniform: Uniform,
) -> set[int]:
    """Call for every request by a fixed number of workers; return the rows given up."""
    queue = iter(requests)
    dead: set[int] = set()

    async def work() -> None:
        for request in queue:
            for failures in range(RETRIES + 1):
                try:
                    await call(request, f"{request.row}-{failures}")
                    break
                except ProviderError:
                    backoff = min(FIRST_BACKOFF_S * 2.0**failures, MAX_BACKOFF_S)
                    await asyncio.sleep(backoff * uniform(0.75, 1.0))
            else:
                dead.add(request.row)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WORKERS):
            tasks.create_task(work())
    return dead
