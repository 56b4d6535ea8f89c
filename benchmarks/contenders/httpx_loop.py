"""A bare loop on httpx (0.28, the last of its line) or on httpx2: the first argument says which."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Sequence

from benchmarks.contenders.bounded import ask_for_all, task


async def main(arguments: Sequence[str]) -> int:
    """Return the number of answers."""
    library = importlib.import_module(arguments[0])
    given = task(arguments[1:])
    limits = library.Limits(max_connections=None, max_keepalive_connections=None)
    async with library.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:

        async def ask() -> bytes:
            body: bytes = (await client.post(given.url, json=given.body)).content
            return body

        return await ask_for_all(given, ask)


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1:])))
