"""The body of an answer, decoded within bounds.

httpx2 decompresses in pieces of at most 1 MiB, so that the size is known before it is held.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import httpx2

from batcher.engine.client.translation import problem
from batcher.errors import ErrorClass
from batcher.providers import StreamedAnswer, sse

_ENCODINGS = ("identity", "gzip")
# How long the end of a transfer may come after the end of its answer.
_TAIL_S = 0.1


async def read_body(response: httpx2.Response, max_bytes: int) -> bytes:
    """Return the whole body.

    Raises:
        ProviderError: it has more than `max_bytes`, or is encoded in a way nobody asked for.
    """
    if not (response.is_success or _encoding(response) in _ENCODINGS):
        # The status of a refusal says enough without its body.
        return b""
    _check_encoding(response)
    body = bytearray()
    async for chunk in _chunks(response):
        body += chunk
        _check_size(len(body), max_bytes)
    return bytes(body)


async def read_events(response: httpx2.Response, answer: StreamedAnswer, max_bytes: int) -> None:
    """Give each event of a stream to `answer`, up to the one that ends it.

    Raises:
        ProviderError: as `read_body`; and what `answer` raises.
    """
    _check_encoding(response)
    parser = sse.Parser(min(max_bytes, sse.MAX_EVENT))
    size = 0
    chunks = _chunks(response)
    async for chunk in chunks:
        size += len(chunk)
        _check_size(size, max_bytes)
        for event in parser.feed(chunk):
            answer.add(event)
            if event.done:
                await _finish(chunks)
                return
    for event in parser.finish():
        answer.add(event)


def _chunks(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Return the pieces of the body as they come, decoded.

    What is not encoded comes straight from the transport: httpx2's way to it costs more than all
    the rest of reading a small body.
    """
    if _encoding(response) != "identity":
        return response.aiter_bytes()
    return aiter(cast("httpx2.AsyncByteStream", response.stream))


def _encoding(response: httpx2.Response) -> str:
    encoding: str = response.headers.get("content-encoding", "identity")
    return encoding.strip().lower()


def _check_encoding(response: httpx2.Response) -> None:
    encoding = _encoding(response)
    if encoding not in _ENCODINGS:
        raise problem(
            ErrorClass.MALFORMED_ANSWER,
            f"the answer is encoded as {encoding}, and only gzip was asked for",
        )


async def _finish(chunks: AsyncIterator[bytes]) -> None:
    """Read the end of a transfer whose answer is whole, so that its connection can be used again.

    A server that keeps the transfer open is not waited for; its connection is closed.
    """
    with contextlib.suppress(TimeoutError, httpx2.DecodingError, aiohttp.ClientError):
        async with asyncio.timeout(_TAIL_S):
            async for _ in chunks:
                pass


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise problem(
            ErrorClass.MALFORMED_ANSWER,
            f"the answer is larger than {max_bytes} bytes; allow more with --max-response-bytes",
        )
