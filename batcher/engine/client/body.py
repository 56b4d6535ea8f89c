"""The body of an answer, decoded within bounds.

httpx2 decompresses in pieces of at most 1 MiB, so that the size is known before it is held.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import cast

import aiohttp
import httpx2

from batcher.engine.client.intake import Intake
from batcher.engine.client.translation import problem
from batcher.errors import ErrorClass
from batcher.providers import StreamedAnswer, sse

_ENCODINGS = ("identity", "gzip")
# How long the end of a transfer may come after the end of its answer.
_TAIL_S = 0.1


async def read_body(
    response: httpx2.Response, headers: Mapping[str, str], intake: Intake
) -> list[bytes]:
    """Return the whole body in pieces: to join a large one takes its time.

    Names of `headers` are in lower case.

    Raises:
        ProviderError: it is larger than allowed, or encoded in a way nobody asked for.
    """
    encoding = _encoding(headers)
    if not (response.is_success or encoding in _ENCODINGS):
        # The status of a refusal says enough without its body.
        return []
    pieces: list[bytes] = []
    async for chunk in _chunks(response, encoding):
        pieces.append(chunk)
        intake.count(len(chunk))
        await intake.hold(intake.size)
    return pieces


async def read_events(
    response: httpx2.Response, headers: Mapping[str, str], answer: StreamedAnswer, intake: Intake
) -> None:
    """Give each event of a stream to `answer`, up to the one that ends it.

    Raises:
        ProviderError: as `read_body`; and what `answer` raises.
    """
    parser = sse.Parser(min(intake.most, sse.MAX_EVENT))
    chunks = _chunks(response, _encoding(headers))
    async for chunk in chunks:
        intake.count(len(chunk))
        for event in parser.feed(chunk):
            answer.add(event)
            if event.done:
                await intake.hold(answer.size)
                await _finish(chunks)
                return
        await intake.hold(answer.size + parser.size)
    for event in parser.finish():
        answer.add(event)


def _encoding(headers: Mapping[str, str]) -> str:
    return headers.get("content-encoding", "identity").strip().lower()


def _chunks(response: httpx2.Response, encoding: str) -> AsyncIterator[bytes]:
    """Return the pieces of the body as they come, decoded.

    What is not encoded comes straight from the transport: httpx2's way to it costs more than all
    the rest of reading a small body.
    """
    if encoding not in _ENCODINGS:
        raise problem(
            ErrorClass.MALFORMED_ANSWER,
            f"the answer is encoded as {encoding}, and only gzip was asked for",
        )
    if encoding != "identity":
        return response.aiter_bytes()
    return aiter(cast("httpx2.AsyncByteStream", response.stream))


async def _finish(chunks: AsyncIterator[bytes]) -> None:
    """Read the end of a transfer whose answer is whole, so that its connection can be used again.

    A server that keeps the transfer open is not waited for; its connection is closed.
    """
    with contextlib.suppress(TimeoutError, httpx2.DecodingError, aiohttp.ClientError):
        async with asyncio.timeout(_TAIL_S):
            async for _ in chunks:
                pass
