"""How replies reach the socket, or do not: what a client reads, and what the ledger says of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from batcher.simulator import delivery
from batcher.simulator.delivery import Sleep, send
from batcher.simulator.ledger import LedgerEntry
from batcher.simulator.replies import Reply

pytestmark = pytest.mark.usefixtures("quiet")

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

WHOLE = Reply(418, "text/plain", [b"short and stout"], 15, code="1234", latency_s=3)
STREAM = Reply(200, "text/event-stream", [b"one", b"two", b"three"], None, pause_s=2)


class Clerk:
    """Sends one reply to whoever asks, and keeps its ledger entry."""

    def __init__(self, reply: Reply, sleep: Sleep | None = None) -> None:
        self.entry = LedgerEntry("s", 1, 0.0, 1)
        self.slept: list[float] = []
        self.done = asyncio.Event()
        self.lost = False
        self._reply = reply
        self._sleep = sleep or self._record

    async def _record(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await send(request, self._reply, {"X-More": "yes"}, self.entry, self._sleep)
        except ConnectionError:
            self.lost = True
            return web.Response()
        finally:
            self.done.set()


@asynccontextmanager
async def asking(handle: Handle, receive_buffer: int = 0) -> AsyncIterator[asyncio.StreamReader]:
    """Serve with one handler, ask once over a bare socket, and hang up at the end."""
    application = web.Application()
    application.router.add_get("/", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect(("127.0.0.1", site.port))
    # A reader of little reads no further than that.
    reader, writer = await asyncio.open_connection(sock=client, limit=receive_buffer or 2**16)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    try:
        yield reader
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await runner.cleanup()


async def test_a_whole_reply_arrives_with_its_length_and_is_sent() -> None:
    clerk = Clerk(WHOLE)
    async with asking(clerk.handle) as reader:
        head, body = (await reader.read()).split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 418 ")
    assert b"\r\nX-More: yes\r\n" in head
    assert b"\r\nContent-Type: text/plain\r\n" in head
    assert b"\r\nContent-Length: 15\r\n" in head
    assert body == b"short and stout"
    assert clerk.slept == [3]
    assert (clerk.entry.status, clerk.entry.code, clerk.entry.sent) == (418, "1234", True)


async def test_a_stream_arrives_in_chunks_with_pauses_between_them() -> None:
    clerk = Clerk(STREAM)
    async with asking(clerk.handle) as reader:
        head, body = (await reader.read()).split(b"\r\n\r\n", 1)
    assert b"\r\nTransfer-Encoding: chunked\r\n" in head
    assert body == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"
    assert clerk.slept == [2, 2]
    assert (clerk.entry.status, clerk.entry.sent) == (200, True)


@pytest.mark.parametrize(
    ("length", "body"), [(15, b"short"), (None, b"5\r\nshort\r\n")], ids=["whole", "stream"]
)
async def test_a_cut_reply_ends_early_and_was_not_sent(length: int | None, body: bytes) -> None:
    clerk = Clerk(Reply(200, "text/plain", [b"short"], length, cut=True))
    async with asking(clerk.handle) as reader:
        answer = await reader.read()
    assert answer.endswith(b"\r\n\r\n" + body)
    assert (clerk.entry.status, clerk.entry.sent) == (200, False)


async def test_a_body_larger_than_all_buffers_is_sent_when_the_last_byte_has_left() -> None:
    body = b"x" * 20_000_000
    clerk = Clerk(Reply(200, "text/plain", [body], len(body)))
    async with asking(clerk.handle) as reader:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        assert not clerk.entry.sent
        assert len(await reader.readexactly(len(body))) == len(body)
        await clerk.done.wait()
    assert clerk.entry.sent


async def test_a_body_that_is_left_in_the_buffers_was_not_sent() -> None:
    clerk = Clerk(Reply(200, "text/plain", [b"x" * 20_000_000], 20_000_000))
    async with asking(clerk.handle) as reader:
        await reader.readuntil(b"\r\n\r\n")
    await clerk.done.wait()
    assert (clerk.entry.status, clerk.entry.sent) == (200, False)


async def test_a_last_piece_that_the_kernel_has_not_taken_was_not_sent() -> None:
    """Less than the writer's high-water mark is left over, which it would not wait for."""
    clerk = Clerk(Reply(200, "text/plain", [b"x" * 60_000], 60_000))

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        server = request.transport.get_extra_info("socket")
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return await clerk.handle(request)

    async with asking(handle, receive_buffer=4096) as reader:
        await reader.readuntil(b"\r\n\r\n")
    await clerk.done.wait()
    assert (clerk.entry.status, clerk.entry.sent) == (200, False)


async def test_a_client_that_has_left_before_gets_no_answer() -> None:
    requests: list[web.Request] = []

    async def until_gone(_seconds: float) -> None:
        while requests[0].transport is not None:  # noqa: ASYNC110 -- nothing tells of it
            await asyncio.sleep(0)

    clerk = Clerk(WHOLE, until_gone)

    async def handle(request: web.Request) -> web.StreamResponse:
        requests.append(request)
        return await clerk.handle(request)

    async with asking(handle):
        pass
    assert clerk.lost
    assert (clerk.entry.status, clerk.entry.sent) == (None, False)


async def test_a_write_that_the_kernel_refuses_was_not_sent() -> None:
    requests: list[web.Request] = []

    async def hang_up(_seconds: float) -> None:
        transport = requests[0].transport
        assert transport is not None
        transport.get_extra_info("socket").shutdown(socket.SHUT_WR)

    clerk = Clerk(Reply(200, "text/plain", [b"one", b"two"], 6), hang_up)

    async def handle(request: web.Request) -> web.StreamResponse:
        requests.append(request)
        return await clerk.handle(request)

    async with asking(handle) as reader:
        assert (await reader.read()).endswith(b"\r\n\r\none")
        await clerk.done.wait()
    assert (clerk.entry.status, clerk.entry.sent) == (200, False)


async def test_a_reset_is_no_orderly_end() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        delivery.reset(request)
        delivery.reset(request)  # a connection that is gone already is left alone
        return web.Response()

    async with asking(handle) as reader:
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_close_is_an_orderly_end() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        delivery.close(request)
        delivery.close(request)
        return web.Response()

    async with asking(handle) as reader:
        assert await reader.read() == b""
