"""Single calls: a request is sent, and its answer becomes a completion or a typed error."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import aiohttp
import httpx2

from batcher.engine.client.body import read_body, read_events
from batcher.engine.client.intake import Intake, Receiving
from batcher.engine.client.line import new_line
from batcher.engine.client.translation import problem, translated
from batcher.errors import ErrorClass, ProviderError
from batcher.providers import Auth, Provider, redacted
from batcher.records import Completion, Request

Decoded = TypeVar("Decoded")
Decode = Callable[[], Decoded]


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
        transport: httpx2.AsyncBaseTransport,
        provider: Provider,
        auth: Auth,
        *,
        timeouts: Timeouts,
        receiving: Receiving,
        stream: bool = False,
        allow_empty: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Call `provider` through `transport`, signing in by `auth`."""
        self._transport = transport
        self._url = httpx2.URL(provider.chat_url)
        self._provider = provider
        self._auth = auth
        self._total = timeouts.total
        self._timeouts = httpx2.Timeout(
            timeouts.idle if stream else None, connect=timeouts.connect, pool=None
        ).as_dict()
        self._receiving = receiving
        self._stream = stream
        self._allow_empty = allow_empty
        self._clock = clock

    async def complete(self, request: Request, request_id: str) -> Completion:
        """Make one call and return its completion.

        The key is in neither completion nor error, though the provider should echo it.

        Raises:
            ProviderError: it did not end in one. NOT_SENT where no byte of the request can have
                arrived; AMBIGUOUS where it may have been answered, and billed, unseen.
        """
        content = self._provider.encode(request, request_id=request_id, stream=self._stream)
        http_request = self._http_request(self._url, content, request_id)
        try:
            size, decode = await self._answer(http_request, request_id, self._completion)

            def decoded() -> Completion:
                return redacted(decode(), self._auth.redact)

            # Under no deadline any more: what has come is paid.
            return await self._receiving.decoded(size, decoded)
        except ProviderError as error:
            raise self._redacted(error) from None

    async def count_tokens(self, request: Request, request_id: str) -> int:
        """Return the tokens of a request's messages, as the provider's tokenizer counts them.

        Raises:
            ProviderError: it did not; as `complete`, but nothing is ever billed.
        """
        content = self._provider.encode_count(request)
        url = httpx2.URL(self._provider.tokenizer_url)
        http_request = self._http_request(url, content, request_id)
        try:
            _, decode = await self._answer(http_request, request_id, self._token_count)
            return decode()
        except ProviderError as error:
            raise self._redacted(error) from None

    def renew(self) -> None:
        """Sign a new token, after the provider called the old one expired."""
        self._auth.renew()

    def _redacted(self, error: ProviderError) -> ProviderError:
        return ProviderError(
            redacted(error.problem, self._auth.redact),
            retry_after=error.retry_after,
            resets_at=error.resets_at,
            rate_limits=error.rate_limits,
        )

    async def _answer(
        self,
        http_request: httpx2.Request,
        request_id: str,
        receive: Callable[[httpx2.Response, Intake], Awaitable[Decode[Decoded]]],
    ) -> tuple[int, Decode[Decoded]]:
        """Return an answer that is there: its size, and how to decode it."""
        line = new_line()
        try:
            async with asyncio.timeout(self._total) as deadline:
                intake = Intake(self._receiving, request_id, deadline)
                response = await self._transport.handle_async_request(http_request)
                async with contextlib.aclosing(response):
                    decode = await receive(response, intake)
                    return intake.size, decode
        except (httpx2.DecodingError, aiohttp.ClientError) as error:
            raise translated(error, sent=line.taken) from None
        except TimeoutError:
            error_class = ErrorClass.AMBIGUOUS if line.taken else ErrorClass.NOT_SENT
            raise problem(error_class, f"no whole answer within {self._total:g} s") from None

    def _http_request(self, url: httpx2.URL, content: bytes, request_id: str) -> httpx2.Request:
        """Build the request by hand: httpx2's client would take most of a call's time to."""
        http_request = httpx2.Request(
            "POST",
            url,
            headers=self._provider.headers(request_id) | self._auth.headers(self._clock()),
            # Not as `content`: aiohttp itself adds the headers that httpx2 would add for that.
            stream=httpx2.ByteStream(content),
            extensions={"timeout": self._timeouts},
        )
        http_request.read()
        return http_request

    async def _completion(self, response: httpx2.Response, intake: Intake) -> Decode[Completion]:
        headers = _headers(response)
        streamed = headers.get("content-type", "").startswith("text/event-stream")
        if streamed and response.is_success:
            answer = self._provider.streamed(headers, self._now())
            await read_events(response, headers, answer, intake)
            return functools.partial(answer.completion, allow_empty=self._allow_empty)
        pieces = await read_body(response, headers, intake)
        status, now = response.status_code, self._now()
        return lambda: self._provider.decode(
            status, headers, b"".join(pieces), now, allow_empty=self._allow_empty
        )

    async def _token_count(self, response: httpx2.Response, intake: Intake) -> Decode[int]:
        headers = _headers(response)
        pieces = await read_body(response, headers, intake)
        status, now = response.status_code, self._now()
        return lambda: self._provider.decode_count(status, headers, b"".join(pieces), now)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _headers(response: httpx2.Response) -> dict[str, str]:
    """Return the headers by name in lower case; of several with one name, as httpx2 joins them."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
