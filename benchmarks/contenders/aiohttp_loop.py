"""A bare aiohttp loop: what one Python process can call at most."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import aiohttp

from benchmarks.contenders.bounded import ask_for_all, task


async def main(arguments: Sequence[str]) -> int:
    """Return the number of answers."""
    given = task(arguments)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask() -> bytes:
            async with session.post(given.url, json=given.body) as response:
                return await response.read()

        return await ask_for_all(given, ask)


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1:])))
