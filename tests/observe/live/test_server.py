"""The server of a live page, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientResponse, ClientSession

from batcher.errors import OutputError
from batcher.observe.live import Board, serve

TOKEN = "correct-horse"  # noqa: S105 -- of no secret


def _page(nonce: str) -> str:
    return f"<!doctype html><script nonce={nonce}></script>"


class Served:
    """A server, a browser, and what the server shows."""

    def __init__(self, address: str, board: Board, browser: ClientSession) -> None:
        self.address = address
        self.board = board
        self.browser = browser

    @property
    def root(self) -> str:
        return self.address.removesuffix(f"{TOKEN}/")

    async def get(self, path: str, **headers: str) -> ClientResponse:
        response = await self.browser.get(f"{self.root}{path}", headers=headers)
        await response.read()
        return response


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    board = Board()
    async with (
        ClientSession() as browser,
        serve(_page, board, token=TOKEN) as address,
    ):
        yield Served(address, board, browser)


async def test_whoever_knows_the_address_gets_the_page() -> None:
    async with served() as server:
        response = await server.browser.get(server.address)
        assert response.status == 200
        assert response.content_type == "text/html"
        assert (await response.text()).startswith("<!doctype html>")


async def test_only_this_machine_is_listened_to_and_the_token_cannot_be_guessed() -> None:
    async with serve(_page, Board()) as one, serve(_page, Board()) as other:
        form = re.compile(r"http://127\.0\.0\.1:\d+/([\w-]{43})/")
        first, second = (match[1] for match in map(form.fullmatch, (one, other)) if match)
        assert first != second


@pytest.mark.parametrize(
    "path",
    ["", "favicon.ico", "wrong/", "wrong/events", TOKEN, f"{TOKEN}/other", f"{TOKEN}x/", "%FF/"],
)
async def test_all_else_is_not_there(path: str) -> None:
    async with served() as server:
        response = await server.get(path)
        assert response.status == 404
        assert "batcher watch" in await response.text()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "[::1]:1", ""])
async def test_a_page_of_another_site_whose_name_points_here_sees_nothing(host: str) -> None:
    """DNS rebinding: the browser says by which name it asks."""
    async with served() as server:
        response = await server.get(f"{TOKEN}/", Host=host)
        assert response.status == 404


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
async def test_each_name_of_this_machine_will_do(name: str) -> None:
    async with served() as server:
        port = server.root.rstrip("/").rpartition(":")[2]
        response = await server.get(f"{TOKEN}/", Host=f"{name}:{port}")
        assert response.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", [f"{TOKEN}/", f"{TOKEN}/events"])
async def test_nothing_but_reading_is_possible(method: str, path: str) -> None:
    async with served() as server:
        response = await server.browser.request(method, f"{server.root}{path}")
        assert response.status == 404


@pytest.mark.parametrize("path", [f"{TOKEN}/", "wrong/"])
async def test_every_answer_is_kept_nowhere_and_shown_in_no_frame(path: str) -> None:
    async with served() as server:
        headers = (await server.get(path)).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]


async def test_scripts_run_by_a_nonce_that_is_new_for_each_page() -> None:
    async with served() as server:
        nonces = set()
        for _ in range(2):
            response = await server.browser.get(server.address)
            policy = response.headers["Content-Security-Policy"]
            found = re.search(r"script-src 'nonce-([\w-]{20,})';", policy)
            assert found
            assert f"nonce={found[1]}>" in await response.text()
            assert "unsafe" not in policy
            nonces.add(found[1])
        assert len(nonces) == 2


async def test_a_page_gets_the_latest_state_and_what_follows_and_the_end() -> None:
    async with served() as server:
        server.board.show("1")
        async with server.browser.get(f"{server.address}events") as response:
            assert response.content_type == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-store"
            lines = response.content
            assert await lines.readuntil(b"\n\n") == b"retry: 2000\n\n"
            assert await lines.readuntil(b"\n\n") == b"data: 1\n\n"
            server.board.show('{"中": 2}')
            assert await lines.readuntil(b"\n\n") == 'data: {"中": 2}\n\n'.encode()
            server.board.end()
            assert await lines.read() == b"event: end\ndata:\n\n"


async def test_a_page_that_leaves_is_not_watched_any_more_and_the_others_go_on() -> None:
    async with served() as server:
        stays = await server.browser.get(f"{server.address}events")
        leaves = await server.browser.get(f"{server.address}events")
        leaves.close()
        server.board.show("1")
        await stays.content.readuntil(b"data: 1\n\n")
        stays.close()
        while server.board.watched.is_set():  # noqa: ASYNC110 -- an event of threads, to be cleared
            await asyncio.sleep(0.001)


async def test_broken_clients_end_nothing_and_are_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with served() as server:
            port = int(server.root.rstrip("/").rpartition(":")[2])
            for sent in (b"\x16\x03\x01\x00", b"GET / HTTP/9\r\n\r\n", b"GET", b"\r\n" * 99):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(sent)
                writer.write_eof()
                await reader.read()
                writer.close()
            assert (await server.get(f"{TOKEN}/")).status == 200
    assert "Traceback" not in caplog.text


async def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with served() as server:
            await server.get(f"{TOKEN}/")
            await server.get(f"{TOKEN}/other")
    assert TOKEN not in caplog.text


async def test_the_end_waits_for_no_open_page() -> None:
    """Nor for one that reads nothing of what it is sent."""
    board = Board()
    # aiohttp itself would wait a minute.
    async with asyncio.timeout(30), ClientSession() as browser:
        async with serve(_page, board, token=TOKEN) as address:
            page = await browser.get(f"{address}events")
            assert await page.content.readexactly(len(b"retry: 2000\n\n"))
            board.show("x" * 50_000_000)
            assert await page.content.readexactly(1)
        page.close()


async def test_a_port_that_is_taken_is_told_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=f"127.0.0.1:{port}: .*another port with --port"):
            async with serve(_page, Board(), port):
                pass
