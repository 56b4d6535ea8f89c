"""A small server on the loopback that misbehaves on command, and remembers what it was sent.

A `Behaviour` answers one request on its connection; the connection then serves the next one,
unless the behaviour has closed it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import trustme

TEXT = "你好"
ANSWER = json.dumps(
    {
        "id": "1",
        "request_id": "theirs",
        "model": "glm-4-flash",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": TEXT},
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    }
).encode()
EVENTS = b"".join(
    b"data: " + json.dumps(event).encode() + b"\n\n"
    for event in (
        {"id": "1", "model": "glm-4-flash", "choices": [{"index": 0, "delta": {"content": "你"}}]},
        {
            "id": "1",
            "request_id": "theirs",
            "model": "glm-4-flash",
            "choices": [{"index": 0, "delta": {"content": "好"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
        },
    )
)
DONE = b"data: [DONE]\n\n"
CHUNKED = "Transfer-Encoding: chunked"
EVENT_STREAM = "Content-Type: text/event-stream"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; names of headers in lower case."""

    peer: tuple[str, int]
    method: str
    target: str
    head: str
    headers: dict[str, str]
    body: bytes

    @property
    def prompt(self) -> str:
        """The last message that was asked."""
        content: str = json.loads(self.body)["messages"][-1]["content"]
        return content


@dataclass
class Toxic:
    """The running server."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    accepted: int = 0

    @property
    def connections(self) -> int:
        """Connections by which requests came."""
        return len({seen.peer for seen in self.seen})


@dataclass(frozen=True)
class Exchange:
    """One request on a connection, and the means to answer it badly."""

    seen: Seen
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *pieces: bytes) -> None:
        """Send these bytes as they are."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    def close(self) -> None:
        """End the connection in order."""
        self.writer.close()

    def reset(self) -> None:
        """Break the connection."""
        _reset(self.writer)

    async def hang(self) -> None:
        """Say nothing more, until the client gives up."""
        await self.reader.read()
        self.writer.close()


Behaviour = Callable[[Exchange], Awaitable[None]]


@contextlib.asynccontextmanager
async def toxic(
    behave: Behaviour,
    *,
    tls: ssl.SSLContext | None = None,
    read: bool = True,
    listen: bool = True,
    port: int = 0,
) -> AsyncIterator[Toxic]:
    """Serve on `port` or a free one, with `behave` for each request.

    Without `read`, the body of a request is left; without `listen`, each connection is reset.
    """
    server = Toxic("")
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        server.accepted += 1
        if not listen:
            _reset(writer)
            return
        # Cancelled at the end of the test; to asyncio's streams that would be an error.
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            while not writer.is_closing():
                seen = await _request(reader, writer, read=read)
                server.seen.append(seen)
                await behave(Exchange(seen, len(server.seen) - 1, reader, writer))
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await writer.wait_closed()

    listener = await asyncio.start_server(talk, "127.0.0.1", port, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listener.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a linger of 0 s, which sends a reset."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.close()


async def _request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, read: bool
) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")) if read else 0)
    return Seen(writer.get_extra_info("peername"), method, target, head, headers, body)


def head(*headers: str, status: str = "200 OK") -> bytes:
    """Return the head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


def whole(
    body: bytes = ANSWER, *headers: str, status: str = "200 OK", kind: str = "application/json"
) -> bytes:
    """Return an answer with its length."""
    lines = (f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers)
    return head(*lines, status=status) + body


def chunked(*pieces: bytes) -> bytes:
    """Return these pieces, each as a chunk of a body; the last chunk is not among them."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def streamed(*pieces: bytes) -> bytes:
    """Return a whole answer of events."""
    return head(EVENT_STREAM, CHUNKED) + chunked(*(pieces or (EVENTS, DONE))) + b"0\r\n\r\n"


def tls_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return how to serve with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@functools.cache
def bomb(size: int) -> bytes:
    """Return `size` zero bytes, compressed to a thousandth."""
    return gzip.compress(bytes(size), 6)


def says(*pieces: bytes) -> Behaviour:
    """Answer with these bytes."""

    async def behave(exchange: Exchange) -> None:
        await exchange.say(*pieces)

    return behave


def says_and_closes(*pieces: bytes) -> Behaviour:
    """Answer with these bytes, and close the connection unannounced."""

    async def behave(exchange: Exchange) -> None:
        await exchange.say(*pieces)
        exchange.close()

    return behave


def says_and_resets(*pieces: bytes) -> Behaviour:
    """Answer with these bytes, and reset the connection."""

    async def behave(exchange: Exchange) -> None:
        await exchange.say(*pieces)
        exchange.reset()

    return behave


def says_and_hangs(*pieces: bytes) -> Behaviour:
    """Answer with these bytes, and then with none; a black hole, where they are none."""

    async def behave(exchange: Exchange) -> None:
        await exchange.say(*pieces)
        await exchange.hang()

    return behave


def endless(first: bytes, piece: bytes, pause: float = 0) -> Behaviour:
    """Answer with `first`, and then with `piece` each `pause` seconds for ever."""

    async def behave(exchange: Exchange) -> None:
        await exchange.say(first)
        while True:
            await exchange.say(piece)
            await asyncio.sleep(pause)

    return behave


def drips(answer: bytes, pause: float) -> Behaviour:
    """Answer one byte each `pause` seconds."""

    async def behave(exchange: Exchange) -> None:
        for byte in answer:
            await exchange.say(bytes([byte]))
            await asyncio.sleep(pause)

    return behave


def refuses(code: str, message: str, *headers: str, status: str) -> Behaviour:
    """Answer with the provider's error object."""
    error = {"error": {"code": code, "message": message}}
    return says(whole(json.dumps(error, ensure_ascii=False).encode(), *headers, status=status))


def redirects(status: str, target: str) -> Behaviour:
    """Point elsewhere."""
    return says(head(f"Location: {target}", "Content-Length: 0", status=status))
