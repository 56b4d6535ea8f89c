"""Single calls: a request is sent, and its answer becomes a completion or a typed error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import httpx2

from batcher.engine.client.body import read_body, read_events
from batcher.engine.client.line import new_line
from batcher.engine.client.translation import problem, translated
from batcher.errors import ErrorClass, ProviderError
from batcher.providers import Auth, Provider, redacted
from batcher.records import Completion, Request


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
        max_response_bytes: int,
        stream: bool = False,
        allow_empty: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Call `provider` through `http`, signing in by `auth`.

        An answer of more than `max_response_bytes`, counted after decompression, is refused.
        """
        self._http = http
        self._provider = provider
        self._auth = auth
        self._total = timeouts.total
        self._timeout = httpx2.Timeout(
            timeouts.idle if stream else None, connect=timeouts.connect, pool=None
        )
        self._max_bytes = max_response_bytes
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
        try:
            completion = await self._call(request, request_id)
        except ProviderError as error:
            raise ProviderError(
                redacted(error.problem, self._auth.redact),
                retry_after=error.retry_after,
                resets_at=error.resets_at,
                rate_limits=error.rate_limits,
            ) from None
        return redacted(completion, self._auth.redact)

    def renew(self) -> None:
        """Sign a new token, after the provider called the old one expired."""
        self._auth.renew()

    async def _call(self, request: Request, request_id: str) -> Completion:
        content = self._provider.encode(request, request_id=request_id, stream=self._stream)
        headers = self._provider.headers(request_id) | self._auth.headers(self._clock())
        line = new_line()
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
            error_class = ErrorClass.AMBIGUOUS if line.taken else ErrorClass.NOT_SENT
            raise problem(error_class, f"no whole answer within {self._total:g} s") from None
        except (httpx2.HTTPError, aiohttp.ClientError) as error:
            raise translated(error, sent=line.taken) from None

    async def _decoded(self, response: httpx2.Response) -> Completion:
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        headers = dict(response.headers)
        if streamed and response.is_success:
            answer = self._provider.streamed(headers, self._now())
            await read_events(response, answer, self._max_bytes)
            return answer.completion(allow_empty=self._allow_empty)
        body = await read_body(response, self._max_bytes)
        return self._provider.decode(
            response.status_code, headers, body, self._now(), allow_empty=self._allow_empty
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
