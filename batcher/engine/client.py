"""The only door to the network: one pooled httpx2 client on the aiohttp transport.

Sends a request and returns the completion, or raises a `ProviderError`. Nothing here retries.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import httpx2
from httpx_aiohttp.httpx2 import AiohttpTransport

from batcher.errors import ConfigurationError, ErrorClass, Problem, ProviderError
from batcher.providers import Auth, Provider, sse
from batcher.records import Completion, Request

MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, and for the whole call."""

    connect: float
    idle: float
    total: float


class Client:
    """Makes single calls to one provider."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        provider: Provider,
        auth: Auth,
        *,
        timeouts: Timeouts,
        stream: bool = False,
        allow_empty: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Call `provider` through `http`, signing in by `auth`."""
        self._http = http
        self._provider = provider
        self._auth = auth
        self._timeouts = timeouts
        self._stream = stream
        self._allow_empty = allow_empty
        self._clock = clock

    async def complete(self, request: Request, request_id: str) -> Completion:
        """Make one call and return its completion.

        Raises:
            ProviderError: it did not end in one. NOT_SENT where no byte of the request can have
                arrived; AMBIGUOUS where it may have been answered, and billed, unseen.
        """
        content = self._provider.encode(request, request_id=request_id, stream=self._stream)
        headers = self._provider.headers(request_id) | self._auth.headers(self._clock())
        try:
            async with (
                asyncio.timeout(self._timeouts.total),
                self._http.stream(
                    "POST", self._provider.chat_url, content=content, headers=headers
                ) as response,
            ):
                return await self._decoded(response)
        except TimeoutError:
            raise _problem(
                ErrorClass.AMBIGUOUS, f"no whole answer within {self._timeouts.total:g} s"
            ) from None
        except httpx2.HTTPError as error:
            raise _translated(error) from error

    def renew(self) -> None:
        """Sign a new token, after the provider called the old one expired."""
        self._auth.renew()

    async def _decoded(self, response: httpx2.Response) -> Completion:
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        headers = dict(response.headers)
        if streamed and response.is_success:
            events = await _read_events(response)
            return self._provider.decode_events(
                events, headers=headers, now=self._now(), allow_empty=self._allow_empty
            )
        body = await _read_body(response)
        return self._provider.decode(
            response.status_code, headers, body, self._now(), allow_empty=self._allow_empty
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


@contextlib.asynccontextmanager
async def http_client(
    provider: Provider, timeouts: Timeouts, connections: int
) -> AsyncIterator[httpx2.AsyncClient]:
    """Open the connection pool.

    The environment is not trusted: no proxy, netrc or key log from there, no redirects, no
    cookies, and TLS is always verified (reliability.md section D).

    Raises:
        ConfigurationError: the base URL is no http(s) address, or plain http off this machine.
    """
    _check_address(provider.base_url)
    context = httpx2.create_ssl_context(trust_env=False)

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=context, limit=connections, keepalive_timeout=30, ttl_dns_cache=60
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )

    async with httpx2.AsyncClient(
        transport=AiohttpTransport(client=session),
        timeout=httpx2.Timeout(timeouts.idle, connect=timeouts.connect, pool=None),
        follow_redirects=False,
        trust_env=False,
    ) as http:
        yield http


def _check_address(base_url: str) -> None:
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL as error:
        raise ConfigurationError(f"--base-url {base_url!r} is no URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"--base-url {base_url!r} is no http(s) address")
    if url.userinfo:
        raise ConfigurationError("--base-url must not hold a user name or password")
    if url.scheme == "http" and url.host not in ("localhost", "127.0.0.1", "::1"):
        raise ConfigurationError(
            f"--base-url {base_url!r} would send the key unencrypted; use https"
        )


async def _read_body(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        _check_size(len(body))
    return bytes(body)


async def _read_events(response: httpx2.Response) -> list[sse.Event]:
    parser = sse.Parser()
    events: list[sse.Event] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        _check_size(size)
        events += parser.feed(chunk)
        # The answer is whole: a server that keeps the connection open is not waited for.
        if events and events[-1].done:
            return events
    return events + parser.finish()


def _check_size(size: int) -> None:
    if size > MAX_BODY:
        raise _problem(ErrorClass.MALFORMED_ANSWER, f"the answer is larger than {MAX_BODY} bytes")


def _translated(error: httpx2.HTTPError) -> ProviderError:
    """The one seam where the network's errors become ours."""
    # The transport reports a dropped connection as a ConnectTimeout; its cause tells them apart.
    cause = error.__cause__
    lost = isinstance(cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
    connecting = isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    not_sent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.ProxyError):
        return _problem(ErrorClass.ENDPOINT_UNKNOWN, str(error))
    if connecting or (not_sent and not lost):
        return _problem(ErrorClass.NOT_SENT, f"no connection: {error}")
    if isinstance(error, httpx2.DecodingError):
        return _problem(ErrorClass.MALFORMED_ANSWER, f"undecodable answer: {error}")
    kind = "nothing came for too long" if isinstance(error, httpx2.TimeoutException) else "cut off"
    return _problem(ErrorClass.AMBIGUOUS, f"{kind}: {str(error) or type(error).__name__}")


def _problem(error_class: ErrorClass, message: str) -> ProviderError:
    return ProviderError(Problem(error_class, message))
