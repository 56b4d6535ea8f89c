"""How replies reach the socket, or do not.

What comes of it stands in the request's ledger entry at once, so that the entry is true also where
the client leaves in the middle and the handler is cancelled.
"""

from __future__ import annotations

import socket
import struct
from asyncio import Transport
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from batcher.simulator.ledger import LedgerEntry
from batcher.simulator.replies import Reply

Sleep = Callable[[float], Awaitable[object]]

_NO_LINGER = struct.pack("ii", 1, 0)


async def send(
    request: web.Request,
    reply: Reply,
    headers: Mapping[str, str],
    entry: LedgerEntry,
    sleep: Sleep,
) -> web.StreamResponse:
    """Send a reply, or as much of it as it has.

    Raises:
        ConnectionError: the client has left.
    """
    if reply.latency_s:
        await sleep(reply.latency_s)
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_type = reply.content_type
    response.content_length = reply.length
    await response.prepare(request)
    entry.status, entry.code = reply.status, reply.code
    *pieces, last = reply.pieces
    for piece in pieces:
        await response.write(piece)
        await sleep(reply.pause_s)
    if reply.cut:
        await response.write(last)
        await _flush(request)
        close(request)
    else:
        # One write for the last piece and the end: a client may leave as soon as it has the text.
        await response.write_eof(last)
        await _flush(request)
        entry.sent = _transport(request) is not None
    return response


def reset(request: web.Request) -> None:
    """Reset the connection: the client sees ECONNRESET, no orderly end."""
    if transport := _transport(request):
        # Without lingering, closing sends a RST in place of a FIN.
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
        )
        transport.abort()


def close(request: web.Request) -> None:
    """Close the connection in an orderly way, wherever the reply is."""
    if transport := _transport(request):
        transport.close()


async def _flush(request: web.Request) -> None:
    """Wait until the kernel has taken every byte."""
    if transport := _transport(request):
        # Without a low-water mark the writer is resumed by an empty buffer only.
        transport.set_write_buffer_limits(high=0)
    await request.writer.drain()


def _transport(request: web.Request) -> Transport | None:
    transport: Transport | None = request.transport
    return None if transport is None or transport.is_closing() else transport
