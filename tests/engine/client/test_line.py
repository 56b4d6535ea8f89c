"""Connections: how they are used again, and what their calls know of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from batcher.engine.client.line import new_line
from batcher.errors import ErrorClass, ProviderError
from tests.one_call import COMPLETION, REQUEST, calling
from tests.toxic import (
    Behaviour,
    Exchange,
    refuses,
    says,
    says_and_closes,
    says_and_resets,
    streamed,
    tls_of,
    toxic,
    whole,
)


@pytest.mark.parametrize("kind", ["answer", "refusal", "stream"])
async def test_one_connection_serves_one_call_after_the_other(kind: str) -> None:
    behave = {
        "answer": says(whole()),
        "refusal": refuses("1305", "busy", status="503 Busy"),
        "stream": says(streamed()),
    }[kind]
    async with toxic(behave) as server, calling(server.url) as client:
        for _ in range(5):
            with contextlib.nullcontext() if kind != "refusal" else pytest.raises(ProviderError):
                await client.complete(REQUEST, "request-1")
    assert len(server.seen) == 5
    assert server.connections == 1


async def test_no_more_connections_are_opened_than_allowed() -> None:
    async with toxic(says(whole())) as server, calling(server.url, connections=2) as client:
        await asyncio.gather(*(client.complete(REQUEST, f"request-{n}") for n in range(12)))
    assert len(server.seen) == 12
    assert server.accepted == 2


async def test_a_connection_the_server_has_closed_is_replaced_unnoticed() -> None:
    async with toxic(says_and_closes(whole())) as server, calling(server.url) as client:
        for number in range(1, 4):
            assert await client.complete(REQUEST, "request-1") == COMPLETION
            # The news of it is on the loopback; the loop reads it in one of its next rounds.
            for _ in range(10):
                await asyncio.sleep(0)
            assert server.accepted == number


async def test_an_answer_that_nobody_asked_for_is_not_the_next_row_s() -> None:
    """By itself aiohttp would hand it to the next call of the connection."""
    other = whole(b'{"choices": [{"message": {"content": "another row\'s"}}]}')

    async def behave(exchange: Exchange) -> None:
        await exchange.say(whole())
        # Time for the client to take the connection back.
        for _ in range(20):
            await asyncio.sleep(0)
        await exchange.say(other)

    async with toxic(behave) as server, calling(server.url) as client:
        for _ in range(3):
            assert await client.complete(REQUEST, "request-1") == COMPLETION
            for _ in range(40):
                await asyncio.sleep(0)
    assert server.connections == 3


# --- stale connections ---


class _Closable:
    """Answers, and closes its connections when it is told so."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    async def __call__(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        await exchange.say(whole())

    def close(self) -> None:
        """Close all, at once: the clients' kernel knows, and no loop has come round yet."""
        for exchange in self.exchanges:
            exchange.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        self.exchanges.clear()


async def test_no_call_goes_out_by_a_connection_that_was_closed_meanwhile() -> None:
    behave = _Closable()
    async with toxic(behave) as server, calling(server.url) as client:
        for number in range(1, 4):
            assert await client.complete(REQUEST, "request-1") == COMPLETION
            assert server.accepted == len(server.seen) == number
            behave.close()


async def test_any_number_of_connections_may_have_been_closed_meanwhile() -> None:
    behave, together = _Closable(), asyncio.Barrier(4)

    async def at_once(exchange: Exchange) -> None:
        if exchange.number < 4:
            await together.wait()
        await behave(exchange)

    async with toxic(at_once) as server, calling(server.url) as client:
        await asyncio.gather(*(client.complete(REQUEST, f"request-{n}") for n in range(4)))
        behave.close()
        assert await client.complete(REQUEST, "request-4") == COMPLETION
    assert server.accepted == len(server.seen) == 5


async def test_a_connection_closed_meanwhile_is_found_over_tls_as_well(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    environment = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
    context = tls_of(authority.issue_cert("127.0.0.1"))
    behave = _Closable()
    async with (
        toxic(behave, tls=context) as server,
        calling(server.url, environment=environment) as client,
    ):
        for accepted in (1, 1, 2):
            if accepted == 2:
                behave.close()
            assert await client.complete(REQUEST, "request-1") == COMPLETION
            assert server.accepted == accepted
    assert len(server.seen) == 3


@pytest.mark.parametrize("end", [says_and_closes, says_and_resets])
@pytest.mark.parametrize("first", [b"", b"H", b"HTTP/1.1 200 OK\r\nContent-"])
async def test_a_call_whose_connection_ends_as_it_goes_out_is_ambiguous_and_not_made_again(
    end: Callable[..., Behaviour], first: bytes
) -> None:
    """Whether the server had closed before, or read the request and fell, nobody can tell."""

    async def behave(exchange: Exchange) -> None:
        await (says(whole()) if exchange.number == 0 else end(first))(exchange)

    async with toxic(behave) as server, calling(server.url) as client:
        await client.complete(REQUEST, "request-1")
        with pytest.raises(ProviderError) as raised:
            await client.complete(REQUEST, "request-1")
    assert raised.value.problem.error_class is ErrorClass.AMBIGUOUS
    assert server.connections == 1
    assert len(server.seen) == 2


async def test_a_line_knows_nothing_before_it_is_taken() -> None:
    line = new_line()
    assert (line.taken, line.stale) == (False, False)
