"""Single calls by the real client over the loopback."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from batcher.engine.client import Client, Receiving, Timeouts, open_transport
from batcher.errors import ErrorClass, ProviderError
from batcher.job import LimitSpec
from batcher.providers import Auth, Bearer, provider_named
from batcher.records import Completion, Request, Source, Usage
from tests.toxic import TEXT, Behaviour, Exchange, says, toxic, whole

KEY = "canary-id-0123456789.canary-secret-0123456789"
REQUEST = Request(
    0,
    "id-0",
    "key-0",
    {"model": "glm-4-flash", "messages": [{"role": "user", "content": "hi"}]},
    Source("prompts.jsonl", 1),
)
COMPLETION = Completion(TEXT, None, None, "stop", "glm-4-flash", Usage(7, 2), "theirs")
PATIENT = Timeouts(connect=30, idle=30, total=30)
# For what never comes: waited for in full, so short.
SHORT_S = 0.3


@contextlib.asynccontextmanager
async def calling(
    url: str,
    timeouts: Timeouts = PATIENT,
    *,
    connections: int = 8,
    connected: bool = False,
    environment: Mapping[str, str] | None = None,
    auth: Auth | None = None,
    **options: Any,  # noqa: ANN401 -- those of Client
) -> AsyncIterator[Client]:
    """Open a client for the server at `url`, which is `connected` with it or has yet to be."""
    provider = provider_named("glm", url)
    receiving = Receiving(LimitSpec().max_response_bytes)
    async with open_transport(url, connections, environment=environment or {}) as transport:
        auth = auth or Bearer(KEY)
        if connected:
            await connect(Client(transport, provider, auth, timeouts=PATIENT, receiving=receiving))
        yield Client(
            transport, provider, auth, timeouts=timeouts, **({"receiving": receiving} | options)
        )


async def connect(client: Client) -> None:
    """Make a call, whatever comes of it, which leaves its connection to the next one.

    Else, where the machine stalls, the time of that may be over before it is sent.
    """
    with contextlib.suppress(ProviderError):
        await client.complete(REQUEST, "request-0")


async def error_at(
    url: str,
    timeouts: Timeouts = PATIENT,
    **options: Any,  # noqa: ANN401 -- those of `calling`
) -> ProviderError:
    """Return what a single call to `url` ends in."""
    async with calling(url, timeouts, **options) as client:
        with pytest.raises(ProviderError) as raised:
            await client.complete(REQUEST, "request-1")
    return raised.value


async def error_of(
    behave: Behaviour,
    timeouts: Timeouts = PATIENT,
    **options: Any,  # noqa: ANN401 -- those of `calling`
) -> ProviderError:
    """Return what a single call ends in that is answered so."""
    async with toxic(behave) as server:
        return await error_at(server.url, timeouts, **options)


async def error_once_connected(
    behave: Behaviour,
    timeouts: Timeouts,
    **options: Any,  # noqa: ANN401 -- those of `calling`
) -> ProviderError:
    """Return what a call ends in that is answered so, the second request on its connection."""

    async def second(exchange: Exchange) -> None:
        await (behave if exchange.number else says(whole()))(exchange)

    return await error_of(second, timeouts, connected=True, **options)


async def class_of(
    behave: Behaviour,
    timeouts: Timeouts = PATIENT,
    **options: Any,  # noqa: ANN401 -- those of `calling`
) -> ErrorClass:
    """Return the class of what a single call ends in that is answered so."""
    return (await error_of(behave, timeouts, **options)).problem.error_class


async def completion_of(
    behave: Behaviour,
    **options: Any,  # noqa: ANN401 -- those of `calling`
) -> Completion:
    """Return the completion of a single call that is answered so."""
    async with toxic(behave) as server, calling(server.url, **options) as client:
        return await client.complete(REQUEST, "request-1")
