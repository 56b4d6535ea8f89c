"""The ways a reply reaches the socket, whole or spoiled, and what the ledger may say of it.

Each takes the request's ledger entry and writes there how far it came, so that the entry is true
also when the client leaves in the middle and the handler is cancelled.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from batcher.simulator.ledger import LedgerEntry
from batcher.simulator.replies import Reply

Sleep = Callable[[float], Awaitable[object]]

_NO_LINGER = struct.pack("ii", 1, 0)


async def send(
    request: web.Request, reply: Reply, entry: LedgerEntry, headers: Mapping[str, str], sleep: Sleep
) -> web.StreamResponse:
    """Send a whole reply; the latency is spread over the writes of a stream."""
    *pieces, last = reply.pieces
    pause_s = reply.latency_s / len(reply.pieces)
    if reply.latency_s or reply.streamed:
        await sleep(pause_s)
    if not reply.streamed:
        response: web.StreamResponse = web.Response(
            status=reply.status, body=last, headers=headers
        )
        last = b""  # the response holds it, and writes it together with the headers
    else:
        response = web.StreamResponse(status=reply.status, headers=headers)
    await _begin(request, response, reply, entry)
    for piece in pieces:
        await response.write(piece)
        await sleep(pause_s)
    # One write for the last piece and the end: a client may leave as soon as it has read [DONE].
    await response.write_eof(last)
    entry.sent = await _drain(request)
    return response


async def send_half(
    request: web.Request, reply: Reply, entry: LedgerEntry, headers: Mapping[str, str], sleep: Sleep
) -> web.StreamResponse:
    """Promise a whole body, send half of it, and close the connection."""
    await sleep(reply.latency_s)
    body = reply.body
    response = _unsent(reply, headers)
    await _begin(request, response, reply, entry)
    await response.write(body[: len(body) // 2])
    await _drain(request)
    cut(request)
    return response


async def drip(
    request: web.Request,
    reply: Reply,
    entry: LedgerEntry,
    headers: Mapping[str, str],
    sleep: Sleep,
    every_s: float,
) -> web.StreamResponse:
    """Send a body byte by byte."""
    await sleep(reply.latency_s)
    body = reply.body
    response = _unsent(reply, headers)
    await _begin(request, response, reply, entry)
    for place in range(len(body) - 1):
        await response.write(body[place : place + 1])
        await sleep(every_s)
    await response.write_eof(body[-1:])
    entry.sent = await _drain(request)
    return response
