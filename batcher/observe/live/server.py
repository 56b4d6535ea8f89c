"""The server of a live page: on loopback, for whoever knows the address, and for reading only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http import HttpProcessingError

from batcher.errors import OutputError
from batcher.observe.live.board import Board

HOST = "127.0.0.1"
_NAMES = ("127.0.0.1", "localhost", "[::1]")
# Often enough to notice a page that is gone without a word.
_KEEPALIVE_S = 15.0
# Longer than any header of a browser on this machine takes.
_STOP_S = 1.0
_HTTP = 80
_NOT_FOUND = "Nothing here. Copy the whole address that `batcher watch` has printed.\n"

_SECURITY = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "batcher",
}
_NOTHING_ALLOWED = "default-src 'none'; frame-ancestors 'none'"

# What is no HTTP gets its 400; it is the client's mistake and needs no traceback here.
_logger = logging.getLogger("batcher.live")
_logger.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)

Page = Callable[[str], str]
"""Makes the page, whose scripts and styles carry the nonce."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(
    page: Page, board: Board, port: int = 0, token: str | None = None
) -> AsyncIterator[str]:
    """Serve `page` and what the `board` shows until the block ends; yield the address.

    Only who knows the token, which is in the address, is told anything (reliability.md D). Port 0
    takes a free one. At the end the pages are told, and no connection is waited for.

    Raises:
        OutputError: nothing can listen on that port.
    """
    pages = _Pages(page, board, token or secrets.token_urlsafe())
    runner = web.AppRunner(
        pages.application(),
        access_log=None,  # it would have the token in it
        logger=_logger,
        handler_cancellation=True,
        shutdown_timeout=_STOP_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"cannot listen on {HOST}:{port}: {reason}; choose another port with --port, or "
                "leave it out to take a free one"
            ) from None
        pages.names = _names(site.port)
        yield f"http://{HOST}:{site.port}/{pages.token}/"
    finally:
        board.end()
        await runner.cleanup()


@dataclass(slots=True)
class _Pages:
    """Answers requests; `names` are what this server may be called."""

    page: Page
    board: Board
    token: str
    names: frozenset[str] = frozenset()

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard])
        application.router.add_get("/{token}/", self._shown, allow_head=False)
        application.router.add_get("/{token}/events", self._events, allow_head=False)
        application.on_response_prepare.append(_secure)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let nobody see what is here, or whether it is, who does not know the token.

        A page of another site may have its name point to this machine; the browser then still says
        by which name it asks.
        """
        token = request.match_info.get("token", "").encode()
        known = secrets.compare_digest(token, self.token.encode())
        if known and request.method == "GET" and request.headers.get("Host") in self.names:
            with contextlib.suppress(web.HTTPNotFound):
                return await handler(request)
        return web.Response(status=404, text=_NOT_FOUND)

    async def _shown(self, _request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        return web.Response(
            text=self.page(nonce),
            content_type="text/html",
            charset="utf-8",
            headers={"Content-Security-Policy": policy},
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Send what the board shows for as long as the page is open (server-sent events)."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with self.board.page(), contextlib.suppress(ConnectionError):
            await response.prepare(request)
            await response.write(b"retry: 2000\n\n")
            number = 0
            while not self.board.over:
                try:
                    async with asyncio.timeout(_KEEPALIVE_S):
                        shown = await self.board.after(number)
                except TimeoutError:
                    await response.write(b":\n\n")
                    continue
                if shown is None:
                    await response.write(b"event: end\ndata:\n\n")
                    break
                number, event = shown
                await response.write(b"data: " + event.encode() + b"\n\n")
        return response


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_SECURITY)
    response.headers.setdefault("Content-Security-Policy", _NOTHING_ALLOWED)


def _names(port: int) -> frozenset[str]:
    """Return what a browser calls this server in its Host header."""
    names = {f"{name}:{port}" for name in _NAMES}
    return frozenset(names | set(_NAMES) if port == _HTTP else names)
