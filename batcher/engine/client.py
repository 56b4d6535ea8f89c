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
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx2
from httpx_aiohttp.httpx2 import AiohttpTransport

from batcher.errors import ConfigurationError, ErrorClass, Problem, ProviderError
from batcher.providers import Auth, Provider, sse
from batcher.providers.envelope import one_line
from batcher.records import Completion, Request

MAX_BODY = 64 * 1024 * 1024
# Servers close an idle connection after 5 s at the earliest (uvicorn, and so vLLM). One that is
# closed just as it is used again looks like a call that was cut, so it is given up before.
_KEEP_ALIVE_S = 4.0
# How long the end of a transfer may come after the end of its answer.
_TAIL_S = 0.1


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between two pieces of a streamed answer, and for the whole call.

    An answer that is not streamed comes at once after a long silence; only `total` ends its call.
    """

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
        max_body: int = MAX_BODY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Call `provider` through `http`, signing in by `auth`.

        An answer of more than `max_body` bytes, as counted after decompression, is refused.
        """
        self._http = http
        self._provider = provider
        self._auth = auth
        self._total = timeouts.total
        self._timeout = httpx2.Timeout(
            timeouts.idle if stream else None, connect=timeouts.connect, pool=None
        )
        self._stream = stream
        self._allow_empty = allow_empty
        self._max_body = max_body
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
                asyncio.timeout(self._total),
                self._http.stream(
                    "POST",
                    self._provider.chat_url,
                    content=content,
                    headers=headers,
                    timeout=self._timeout,
                ) as response,
            ):
                return await self._decoded(response)
        except TimeoutError:
            raise _problem(
                ErrorClass.AMBIGUOUS, f"no whole answer within {self._total:g} s"
            ) from None
        except (httpx2.HTTPError, aiohttp.ClientError) as error:
            raise _translated(error) from error

    def renew(self) -> None:
        """Sign a new token, after the provider called the old one expired."""
        self._auth.renew()

    async def _decoded(self, response: httpx2.Response) -> Completion:
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        headers = dict(response.headers)
        if streamed and response.is_success:
            events = await _read_events(response, self._max_body)
            return self._provider.decode_events(
                events, headers=headers, now=self._now(), allow_empty=self._allow_empty
            )
        body = await _read_body(response, self._max_body)
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
            ssl=context, limit=connections, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=60
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )

    async with httpx2.AsyncClient(
        transport=AiohttpTransport(verify=context, trust_env=False, client=session),
        timeout=httpx2.Timeout(timeouts.total, connect=timeouts.connect, pool=None),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=False,
        trust_env=False,
    ) as http:
        yield http


def _check_address(base_url: str) -> None:
    # Before all else, so that no message shows a password.
    if "@" in base_url:
        raise ConfigurationError("--base-url must not hold a user name or password")
    try:
        url = httpx2.URL(base_url)
        # As the name is looked up later, where nothing translates its error.
        url.raw_host.decode().encode("idna")
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise ConfigurationError(f"--base-url {base_url!r} is no URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"--base-url {base_url!r} is no http(s) address")
    if url.query or url.fragment:
        raise ConfigurationError(f"--base-url {base_url!r} must end with its path, without ? or #")
    if url.scheme == "http" and url.host not in ("localhost", "127.0.0.1", "::1"):
        raise ConfigurationError(
            f"--base-url {base_url!r} would send the key unencrypted; use https"
        )


async def _read_body(response: httpx2.Response, max_body: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        _check_size(len(body), max_body)
    return bytes(body)


async def _read_events(response: httpx2.Response, max_body: int) -> list[sse.Event]:
    parser = sse.Parser()
    events: list[sse.Event] = []
    size = 0
    chunks = response.aiter_bytes()
    async for chunk in chunks:
        size += len(chunk)
        _check_size(size, max_body)
        events += parser.feed(chunk)
        if events and events[-1].done:
            await _finish(chunks)
            return events
    return events + parser.finish()


async def _finish(chunks: AsyncIterator[bytes]) -> None:
    """Read the end of a transfer whose answer is whole, so that its connection can be used again.

    A server that keeps the transfer open is not waited for; its connection is closed.
    """
    with contextlib.suppress(TimeoutError, httpx2.HTTPError, aiohttp.ClientError):
        async with asyncio.timeout(_TAIL_S):
            async for _ in chunks:
                pass


def _check_size(size: int, max_body: int) -> None:
    if size > max_body:
        raise _problem(ErrorClass.MALFORMED_ANSWER, f"the answer is larger than {max_body} bytes")


def _translated(error: httpx2.HTTPError | aiohttp.ClientError) -> ProviderError:
    """The one seam where the network's errors become ours.

    NOT_SENT only where that is certain: whatever else was cut may have been read, and billed.
    """
    # The transport calls a refused and a lost connection by one name; its cause tells them apart.
    told = error.__cause__ if isinstance(error, httpx2.TransportError) else None
    cause = told or error
    match cause:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.InvalidURL():
            return _problem(ErrorClass.ENDPOINT_UNKNOWN, f"this address cannot be called: {cause}")
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return _problem(ErrorClass.NOT_SENT, f"no connection: {cause}")
        case aiohttp.ClientResponseError() | httpx2.DecodingError():
            return _problem(ErrorClass.MALFORMED_ANSWER, f"unreadable answer: {cause}")
        case aiohttp.ServerTimeoutError():
            kind = "nothing came for too long"
        case _:
            kind = "cut off"
    return _problem(ErrorClass.AMBIGUOUS, f"{kind}: {str(cause) or type(cause).__name__}")


def _problem(error_class: ErrorClass, message: str) -> ProviderError:
    return ProviderError(Problem(error_class, one_line(message)))
