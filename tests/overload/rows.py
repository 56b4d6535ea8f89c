"""Rows to call for, where what they say does not matter."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

from batcher.records import Request, Source

_BODY = {"model": "glm-4.7", "messages": [{"role": "user", "content": "?"}]}


def request(row: int, **parameters: object) -> Request:
    """Return the request of a row."""
    body = {**_BODY, **parameters}
    return Request(row, f"id-{row}", f"key-{row}", body, Source("prompts.jsonl", row + 1))


def requests(rows: int) -> Iterator[Request]:
    """Yield the requests of the rows from 0 on."""
    return map(request, range(rows))


async def arequests(rows: int) -> AsyncGenerator[Request, None]:
    """Yield the requests of the rows from 0 on, as an executor takes them."""
    for row in range(rows):
        yield request(row)
