"""httpx2's requests and responses on aiohttp's pool of connections."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import aiohttp
import httpx2

from batcher.engine.client.line import KEEP_ALIVE_S, Connector, is_stale


class _Response(aiohttp.ClientResponse):
    """An answer whose repr, which asyncio may log, shows no header: a server may echo the key."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.status}]>"


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.content.iter_any()

    async def aclose(self) -> None:
        """Give the connection back; where the body was not read to its end, close it."""
        await self._answer.__aexit__(None, None, None)


class Transport(httpx2.AsyncBaseTransport):
    """Sends httpx2's requests by aiohttp's pool of connections, by none known to be closed.

    By hand, as a ready one converts headers and exceptions at a cost like that of the call itself.
    What aiohttp raises is passed on as it is, for `translation` to tell apart.

    The news that a server has closed may still be on its way when the next request goes out:
    such a call is cut, and as ambiguous as any other (reliability.md fault 30).
    """

    def __init__(self, context: ssl.SSLContext, limit: int, proxy: str | None) -> None:
        """Open at most `limit` connections, verified by `context`, by way of `proxy`.

        Must be called within a running loop.
        """
        self._session = aiohttp.ClientSession(
            connector=Connector(
                ssl=context, limit=limit, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=60
            ),
            response_class=_Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            proxy=proxy,
            # httpx2 decodes: it tells the size before it holds it.
            auto_decompress=False,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request`, whose content is at hand, and return the head of its answer.

        Raises:
            aiohttp.ClientError: there is none.
        """
        timeout = request.extensions["timeout"]
        limits = aiohttp.ClientTimeout(sock_connect=timeout["connect"], sock_read=timeout["read"])
        headers = {name.decode(): value.decode() for name, value in request.headers.raw}
        while True:
            try:
                answer = await self._session.request(
                    request.method,
                    str(request.url),
                    headers=headers,
                    data=request.content,
                    timeout=limits,
                    allow_redirects=False,
                )
            except aiohttp.ClientError:
                # Each turn takes one more from the pool; a new connection is never stale.
                if not is_stale():
                    raise
            else:
                return httpx2.Response(
                    answer.status,
                    headers=answer.raw_headers,
                    stream=_Body(answer),
                    request=request,
                )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()
