"""What a call knows of its connection, told by aiohttp's own protocol.

What was certainly not sent is safe to send again; so is what went into a connection that the
server had already closed.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
import httpx2
from aiohttp.client_proto import ResponseHandler
from httpx_aiohttp.httpx2 import AiohttpTransport

# Servers close an idle connection after 5 s at the earliest (uvicorn, and so vLLM); one that is
# given up before is never stale.
KEEP_ALIVE_S = 4.0
# The news that a server has closed takes a round trip; later, it was at work on the answer.
STALE_S = 1.0


@dataclass(slots=True)
class Line:
    """One call's connection: `taken`, once it was handed one; from then on bytes may be sent.

    It was `reused` where it had served another call; `answered` says that any byte came back.
    """

    taken: bool = False
    reused: bool = False
    answered: bool = False


_line: ContextVar[Line] = ContextVar("line")


def new_line() -> Line:
    """Return the line of the call that the running task begins."""
    line = Line()
    _line.set(line)
    return line


class _Protocol(ResponseHandler):
    """A connection that tells its call how it is used, and is closed if it speaks unasked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._line = Line()
        self._answer: aiohttp.StreamReader | None = None

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401 -- aiohttp's own
        """Serve the next call."""
        line = _line.get()
        line.reused, line.taken = self._line.taken, True
        self._line, self._answer = line, None
        super().set_response_params(**params)

    def feed_data(self, data: tuple[Any, aiohttp.StreamReader], size: int = 0) -> None:
        """Note the answer's body with the head before it; an interim head is none."""
        message, body = data
        if message.code >= HTTPStatus.OK:
            self._answer = body
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Take in bytes of the answer."""
        if self._answer is not None and self._answer.is_eof():
            # aiohttp would take it for the answer to the next call, which is another row's.
            self.close()
            return
        self._line.answered = self._line.answered or bool(data)
        super().data_received(data)


class _Connector(aiohttp.TCPConnector):
    """Connections that tell their calls how they are used."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 -- aiohttp's own
        super().__init__(**options)
        # Where another aiohttp makes its connections otherwise, nothing counts as sent or reused,
        # and the tests of stale connections fail.
        self._factory = functools.partial[ResponseHandler](_Protocol, asyncio.get_running_loop())


class Transport(httpx2.AsyncBaseTransport):
    """Sends requests through a pool, and once more where its connection was stale.

    Only a connection that had served before, that ended within `STALE_S` of the request, and by
    which not one byte of an answer came is called stale (reliability.md fault 30): servers close
    idle connections, and the news crosses with the request. The second try has a fresh one.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        limit: int,
        proxy: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open at most `limit` connections, verified by `context`, by way of `proxy`."""

        def session(**options: object) -> aiohttp.ClientSession:
            connector = _Connector(ssl=context, limit=limit, ttl_dns_cache=60, **options)
            return aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                proxy=proxy,
            )

        def transport(**options: object) -> AiohttpTransport:
            return AiohttpTransport(verify=context, client=functools.partial(session, **options))

        self._pooled = transport(keepalive_timeout=KEEP_ALIVE_S)
        self._fresh = transport(force_close=True)
        self._monotonic = monotonic

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request` and return the head of its answer."""
        begun = self._monotonic()
        try:
            return await self._pooled.handle_async_request(request)
        except httpx2.TransportError as error:
            line = _line.get()
            stale = line.reused and not line.answered and _closed(error)
            if not stale or self._monotonic() - begun > STALE_S:
                raise
        return await self._fresh.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pooled.aclose()
        await self._fresh.aclose()


def _closed(error: httpx2.TransportError) -> bool:
    cause = error.__cause__
    return isinstance(cause, aiohttp.ClientConnectionError) and not isinstance(cause, TimeoutError)
