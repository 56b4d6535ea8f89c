"""Requests and answers of httpx2, by aiohttp."""

from __future__ import annotations

import contextlib
import gc

import aiohttp
import httpx2

from batcher.engine.client import open_transport
from batcher.engine.client.line import new_line
from tests.toxic import ANSWER, says, toxic, whole


async def test_the_repr_of_an_answer_which_asyncio_may_log_shows_no_key_it_echoes() -> None:
    async with (
        toxic(says(whole(ANSWER, "X-Request-Id: sk-echoed"))) as server,
        open_transport(server.url, 1, environment={}) as transport,
    ):
        new_line()
        timeouts = httpx2.Timeout(None).as_dict()
        request = httpx2.Request("POST", server.url, extensions={"timeout": timeouts})
        async with contextlib.aclosing(await transport.handle_async_request(request)) as response:
            assert response.headers["x-request-id"] == "sk-echoed"
            held = [
                repr(thing)
                for thing in gc.get_objects()
                if issubclass(type(thing), aiohttp.ClientResponse)
            ]
    assert "<_Response [200]>" in held
    assert "sk-echoed" not in "".join(held)
