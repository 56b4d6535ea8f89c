"""Single calls over a real loopback connection: what ends in a completion, and in which error."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import re
import shutil
import socket
import ssl
import struct
import subprocess
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web

from batcher.engine.client import Client, Timeouts, http_client
from batcher.errors import ConfigurationError, ErrorClass, ProviderError
from batcher.providers import Bearer, provider_named
from batcher.records import Completion, Request, Source, Usage

KEY = "canary-id.canary-secret"
REQUEST = Request(
    0,
    "id-0",
    "key-0",
    {"model": "glm-4-flash", "messages": [{"role": "user", "content": "hi"}]},
    Source("prompts.jsonl", 1),
)
ANSWER = json.dumps(
    {
        "id": "1",
        "request_id": "theirs",
        "model": "glm-4-flash",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "你好"},
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
COMPLETION = Completion("你好", None, None, "stop", "glm-4-flash", Usage(7, 2), "theirs")
PATIENT = Timeouts(connect=30, idle=30, total=30)
# For what never comes: short, since it is waited for in full.
SHORT_S = 0.05

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class _Server:
    """A server on the loopback and what it has seen."""

    url: str = ""
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    peers: set[object] = field(default_factory=set)

    @property
    def connections(self) -> int:
        return len(self.peers)


@contextlib.asynccontextmanager
async def _serving(
    handler: Handler, context: ssl.SSLContext | None = None
) -> AsyncIterator[_Server]:
    """Serve `handler` over HTTP; it is cancelled when its client goes."""
    server = _Server()

    async def seen(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        server.requests.append(request)
        server.peers.add(request.transport.get_extra_info("peername"))
        server.bodies.append(await request.read())
        return await handler(request)

    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", seen)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server.url = f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _listening(speak: Speak) -> AsyncIterator[str]:
    """Let `speak` talk to whoever connects; the connection ends after it."""
    talks: set[asyncio.Task[None] | None] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await speak(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*filter(None, talks))


def _speaking(say: Callable[[asyncio.StreamWriter], None]) -> AbstractAsyncContextManager[str]:
    """Answer one request, once it has been read, with what `say` writes."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        say(writer)
        await writer.drain()

    return _listening(speak)


@contextlib.asynccontextmanager
async def _calling(
    url: str,
    timeouts: Timeouts = PATIENT,
    connections: int = 8,
    **options: Any,  # noqa: ANN401 # those of Client
) -> AsyncIterator[Client]:
    provider = provider_named("glm", url)
    async with http_client(provider, timeouts, connections) as http:
        yield Client(http, provider, Bearer(KEY), timeouts=timeouts, **options)


async def _error(
    url: str,
    timeouts: Timeouts = PATIENT,
    **options: Any,  # noqa: ANN401 # those of Client
) -> ProviderError:
    """Return what a single call ends in."""
    async with _calling(url, timeouts, **options) as client:
        with pytest.raises(ProviderError) as raised:
            await client.complete(REQUEST, "request-1")
    return raised.value


async def _spoken(*pieces: bytes, abort: bool = False) -> ProviderError:
    """Return what a call ends in that is answered by these bytes and the end of the connection."""

    def say(writer: asyncio.StreamWriter) -> None:
        writer.writelines(pieces)
        if abort:
            # Closing with a linger of 0 s sends a reset.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with _speaking(say) as url:
        return await _error(url)


def _answer(body: bytes = ANSWER, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": "application/json", **headers})

    return handler


# --- what ends in a completion ---


async def test_a_whole_answer_is_a_completion() -> None:
    async with _serving(_answer()) as server, _calling(f"{server.url}/v4/") as client:
        completion = await client.complete(REQUEST, "request-1")
    assert completion == COMPLETION
    (request,), (body,) = server.requests, server.bodies
    assert (request.method, request.path) == ("POST", "/v4/chat/completions")
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Accept-Encoding"] == "gzip"
    assert json.loads(body) == {**REQUEST.body, "request_id": "request-1"}


async def _stream(request: web.Request, *pieces: bytes) -> web.StreamResponse:
    """Begin an answer of events with these pieces, each in a chunk of its own."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    return response


async def _hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_streamed_answer_is_the_same_completion() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await _stream(request, EVENTS[:30], EVENTS[30:], DONE)

    async with _serving(handler) as server, _calling(server.url, stream=True) as client:
        completion = await client.complete(REQUEST, "request-1")
    assert completion == COMPLETION
    assert json.loads(server.bodies[0])["stream"] is True


async def test_an_answer_without_a_stream_is_read_where_a_stream_was_asked_for() -> None:
    async with _serving(_answer()) as server, _calling(server.url, stream=True) as client:
        assert await client.complete(REQUEST, "request-1") == COMPLETION


async def test_gzip_is_decompressed() -> None:
    handler = _answer(gzip.compress(ANSWER), **{"Content-Encoding": "gzip"})
    async with _serving(handler) as server, _calling(server.url) as client:
        assert await client.complete(REQUEST, "request-1") == COMPLETION


async def test_an_empty_answer_is_a_completion_only_where_that_is_allowed() -> None:
    handler = _answer(ANSWER.replace(b"\\u4f60\\u597d", b""))
    async with _serving(handler) as server:
        error = await _error(server.url)
        assert error.problem.error_class is ErrorClass.EMPTY_COMPLETION
        async with _calling(server.url, allow_empty=True) as client:
            assert (await client.complete(REQUEST, "request-1")).text is None


async def test_signing_in_goes_by_the_clock_and_a_renewal_reaches_it() -> None:
    seen: list[object] = []

    class Auth:
        def headers(self, now: float) -> dict[str, str]:
            seen.append(now)
            return {"authorization": "Bearer token"}

        def renew(self) -> None:
            seen.append("renewed")

    provider = provider_named("glm")
    async with _serving(_answer()) as server:
        provider = replace(provider, base_url=server.url)
        async with http_client(provider, PATIENT, 1) as http:
            client = Client(http, provider, Auth(), timeouts=PATIENT, clock=lambda: 1234.5)
            await client.complete(REQUEST, "request-1")
            client.renew()
    assert seen == [1234.5, "renewed"]
    assert server.requests[0].headers["Authorization"] == "Bearer token"


# --- what the server says instead ---


async def test_a_refusal_is_the_providers_error_with_its_code_and_wait() -> None:
    async def handler(_: web.Request) -> web.Response:
        error = {"error": {"code": "1302", "message": "Rate limit reached for requests"}}
        return web.json_response(error, status=429, headers={"Retry-After": "7"})

    async with _serving(handler) as server:
        error = await _error(server.url)
    problem = error.problem
    assert (problem.error_class, problem.code, problem.http_status) == (
        ErrorClass.THROTTLED,
        "1302",
        429,
    )
    assert error.retry_after == 7


async def test_a_refusal_that_calls_itself_a_stream_is_still_a_refusal() -> None:
    async def handler(_: web.Request) -> web.Response:
        body = b'{"error": {"code": "1113", "message": "recharge"}}'
        return web.Response(body=body, status=429, headers={"Content-Type": "text/event-stream"})

    async with _serving(handler) as server:
        error = await _error(server.url, stream=True)
    assert error.problem.error_class is ErrorClass.BALANCE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(status: int) -> None:
    """reliability.md fault 29."""
    async with _serving(_answer()) as other:

        async def handler(_: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Location": f"{other.url}/v4"})

        async with _serving(handler) as server:
            error = await _error(server.url)
    assert error.problem.error_class is ErrorClass.ENDPOINT_UNKNOWN
    assert other.requests == []


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
        b"SSH-2.0-OpenSSH_9.6 \x1b[31m\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["html", "not gzip", "not http", "endless header"],
)
async def test_what_is_no_answer_is_malformed(said: bytes) -> None:
    error = await _spoken(said)
    assert error.problem.error_class is ErrorClass.MALFORMED_ANSWER
    assert error.problem.message.isprintable()
    assert len(error.problem.message) <= 500


# aiohttp advises against large bodies as bytes; this one is a test's, not a row's.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_refusal_that_comes_before_the_body_was_read_is_read() -> None:
    """A server need not read a large request to refuse it."""
    body = b'{"error": {"code": "1214", "message": "too large"}}'
    head = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    answered = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body)
        await answered.wait()

    large = replace(REQUEST, body={**REQUEST.body, "image": "x" * 20_000_000})
    async with _listening(refuse) as url, _calling(url) as client:
        with pytest.raises(ProviderError) as raised:
            await client.complete(large, "request-1")
        answered.set()
    assert raised.value.problem.error_class is ErrorClass.BAD_REQUEST


# --- what the network does ---


async def test_a_refused_connection_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    error = await _error(f"http://127.0.0.1:{port}")
    assert error.problem.error_class is ErrorClass.NOT_SENT
    assert error.problem.http_status is None


async def test_a_connection_that_does_not_come_about_in_time_is_not_sent() -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        # One connection is more than this backlog holds; further ones get no reply.
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        error = await _error(url, replace(PATIENT, connect=SHORT_S))
    assert error.problem.error_class is ErrorClass.NOT_SENT


async def test_a_host_that_is_not_found_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(host: str, *_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host}")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    error = await _error("https://llm.invalid")
    assert error.problem.error_class is ErrorClass.NOT_SENT
    assert "llm.invalid" in error.problem.message


@pytest.mark.parametrize("abort", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"HTTP/1.1 200 OK\r\nContent-Type: applica"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(ANSWER), ANSWER[:100]],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\n{}\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", EVENTS],
    ],
    ids=["nothing", "half a head", "half a body", "half a chunked body", "half a stream"],
)
async def test_a_connection_lost_after_the_request_was_read_is_ambiguous(
    pieces: list[bytes],
    abort: bool,  # noqa: FBT001 # a case
) -> None:
    error = await _spoken(*pieces, abort=abort)
    assert error.problem.error_class is ErrorClass.AMBIGUOUS


def _chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


PLAIN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EVENT_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
ZIPPED = gzip.compress(ANSWER, mtime=0)


@pytest.mark.parametrize(
    "whole",
    [
        PLAIN_HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER),
        PLAIN_HEAD + b"Connection: close\r\n\r\n" + ANSWER,
        PLAIN_HEAD
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + _chunked(ANSWER[:90], ANSWER[90:])
        + b"0\r\n\r\n",
        PLAIN_HEAD
        + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(ZIPPED), ZIPPED),
        EVENT_HEAD + b"Connection: close\r\n\r\n" + EVENTS + b"data: [DONE]",
        EVENT_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(EVENTS, b"data: [DONE]\n\n"),
    ],
    ids=["length", "until closed", "chunked", "gzip", "stream until closed", "chunked stream"],
)
async def test_an_answer_cut_at_any_byte_is_never_a_completion(whole: bytes) -> None:
    """reliability.md fault 25; the whole one is, which shows that only the cut matters."""
    cut = 0

    def say(writer: asyncio.StreamWriter) -> None:
        writer.write(whole[:cut])

    # What stands behind the end of the last event adds nothing to an answer.
    needed = len(whole.removesuffix(b"\n\r\n").removesuffix(b"\n"))
    async with _speaking(say) as url, _calling(url, stream=True) as client:
        for cut in range(needed):  # noqa: B007 # the server reads it
            with pytest.raises(ProviderError):
                await client.complete(REQUEST, "request-1")
        cut = len(whole)
        assert await client.complete(REQUEST, "request-1") == COMPLETION


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_without_an_answer_ends_by_its_total_deadline(stream: bool) -> None:  # noqa: FBT001 # a case
    async with _serving(_hang) as server:
        error = await _error(server.url, Timeouts(30, 30, SHORT_S), stream=stream)
    assert error.problem.error_class is ErrorClass.AMBIGUOUS
    assert error.problem.message == "no whole answer within 0.05 s"


async def test_bytes_that_drip_do_not_put_off_the_total_deadline() -> None:
    """reliability.md faults 24 and 26: also keep-alive comments without an end."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = await _stream(request, EVENTS)
        while True:
            await response.write(b": keep-alive\n\n")
            await asyncio.sleep(0)

    async with _serving(handler) as server:
        error = await _error(server.url, Timeouts(30, 30, SHORT_S), stream=True)
    assert error.problem.message == "no whole answer within 0.05 s"


async def test_a_stream_that_falls_silent_is_ambiguous_before_the_total_deadline() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await _stream(request, EVENTS)
        return await _hang(request)

    async with _serving(handler) as server:
        error = await _error(server.url, replace(PATIENT, idle=SHORT_S), stream=True)
    assert error.problem.error_class is ErrorClass.AMBIGUOUS
    assert error.problem.message.startswith("nothing came for too long")


async def test_an_answer_without_a_stream_may_be_long_silent() -> None:
    """It comes whole after the model has thought; only the total deadline ends its call."""
    async with _serving(_hang) as server:
        error = await _error(server.url, Timeouts(30, SHORT_S / 5, SHORT_S))
    assert error.problem.message == "no whole answer within 0.05 s"


async def test_an_address_that_only_the_call_finds_wrong_stops_the_run() -> None:
    error = await _error("https://example.com:99999")
    assert error.problem.error_class is ErrorClass.ENDPOINT_UNKNOWN


async def test_a_cancelled_call_is_no_error_of_the_provider() -> None:
    begun = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        begun.set()
        return await _hang(request)

    async with _serving(handler) as server, _calling(server.url) as client:
        call = asyncio.create_task(client.complete(REQUEST, "request-1"))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


# --- the size of an answer ---


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_as_large_as_allowed_is_read_and_no_larger_one(stream: bool) -> None:  # noqa: FBT001 # a case
    body = EVENTS + DONE if stream else ANSWER
    kind = "text/event-stream" if stream else "application/json"
    async with _serving(_answer(body, **{"Content-Type": kind})) as server:
        async with _calling(server.url, stream=stream, max_body=len(body)) as client:
            assert await client.complete(REQUEST, "request-1") == COMPLETION
        error = await _error(server.url, stream=stream, max_body=len(body) - 1)
    assert error.problem.error_class is ErrorClass.MALFORMED_ANSWER
    assert error.problem.message == f"the answer is larger than {len(body) - 1} bytes"


async def test_a_gzip_bomb_is_refused_before_it_fills_the_memory() -> None:
    """reliability.md fault 27."""
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    async with _serving(_answer(bomb, **{"Content-Encoding": "gzip"})) as server:
        tracemalloc.start()
        try:
            error = await _error(server.url, max_body=1024 * 1024)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert error.problem.message == "the answer is larger than 1048576 bytes"
    assert peak < 16 * 1024 * 1024


# --- the connections ---


@pytest.mark.parametrize("kind", ["answer", "refusal", "stream"])
async def test_one_connection_serves_one_call_after_the_other(kind: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if kind == "stream":
            return await _stream(request, EVENTS, DONE)
        return await _answer(ANSWER if kind == "answer" else b"{}")(request)

    async with _serving(handler) as server, _calling(server.url) as client:
        for _ in range(5):
            with contextlib.nullcontext() if kind != "refusal" else pytest.raises(ProviderError):
                await client.complete(REQUEST, "request-1")
    assert len(server.requests) == 5
    assert server.connections == 1


async def test_no_more_connections_are_opened_than_allowed() -> None:
    async with _serving(_answer()) as server, _calling(server.url, connections=2) as client:
        await asyncio.gather(*(client.complete(REQUEST, f"request-{n}") for n in range(12)))
    assert len(server.requests) == 12
    assert server.connections == 2


async def test_a_stream_kept_open_after_its_end_is_not_waited_for() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await _stream(request, EVENTS, DONE)
        return await _hang(request)

    async with _serving(handler) as server, _calling(server.url, stream=True) as client:
        for _ in range(2):
            assert await client.complete(REQUEST, "request-1") == COMPLETION
    assert server.connections == 2


async def test_what_follows_the_end_of_a_stream_is_skipped() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await _stream(request, EVENTS, DONE)
        # Time for the client to read so far.
        for _ in range(20):
            await asyncio.sleep(0)
        await response.write(b"data: not json\n\n")
        return response

    async with _serving(handler) as server, _calling(server.url, stream=True) as client:
        for _ in range(2):
            assert await client.complete(REQUEST, "request-1") == COMPLETION
    assert server.connections == 1


async def test_a_stream_cut_behind_its_end_is_whole() -> None:
    def say(writer: asyncio.StreamWriter) -> None:
        head = EVENT_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        writer.write(head + _chunked(EVENTS, DONE))

    async with _speaking(say) as url, _calling(url, stream=True) as client:
        assert await client.complete(REQUEST, "request-1") == COMPLETION


async def test_a_connection_the_server_has_closed_is_replaced_unnoticed() -> None:
    """reliability.md fault 30: a server may close after its reply, unannounced."""
    closed: list[asyncio.StreamWriter] = []

    def say(writer: asyncio.StreamWriter) -> None:
        writer.write(PLAIN_HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))
        closed.append(writer)

    async with _speaking(say) as url, _calling(url, connections=1) as client:
        for number in range(1, 4):
            assert await client.complete(REQUEST, "request-1") == COMPLETION
            await closed[-1].wait_closed()
            # The news of it is on the loopback; the loop reads it in one of its next rounds.
            for _ in range(10):
                await asyncio.sleep(0)
            assert len(closed) == number


async def test_cookies_are_not_kept() -> None:
    handler = _answer(ANSWER, **{"Set-Cookie": "session=1; Path=/"})
    async with _serving(handler) as server, _calling(server.url) as client:
        for _ in range(2):
            await client.complete(REQUEST, "request-1")
    assert [request.headers.get("Cookie") for request in server.requests] == [None, None]


# --- secrets and addresses ---


async def test_proxies_and_passwords_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """reliability.md fault 49."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with _serving(_answer()) as proxy, _serving(_answer()) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with _calling(server.url) as client:
            await client.complete(REQUEST, "request-1")
    assert proxy.requests == []
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


async def test_the_key_is_in_no_message_traceback_or_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Promise 12, for an answer, a refusal, a cut and a refused connection."""
    caplog.set_level(logging.DEBUG)
    async with _serving(_answer()) as server, _calling(server.url) as client:
        await client.complete(REQUEST, "request-1")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    errors = [await _error(url), await _spoken(), await _spoken(PLAIN_HEAD + b"\r\n<html>")]
    shown = "".join(line for error in errors for line in traceback.format_exception(error))
    told = "".join(repr(error.problem) + repr(error.__cause__) for error in errors)
    assert caplog.records
    for secret in (KEY, "canary"):
        assert secret not in caplog.text + shown + told


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of its own making for 127.0.0.2, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "certificate.pem", folder / "key.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=batcher test", "-addext", "subjectAltName=IP:127.0.0.2"]
    subprocess.run(  # noqa: S603 # a command of our own
        [openssl, "req", "-x509", *curve, *names, "-days", "2", "-keyout", key, "-out", made],
        check=True,
        capture_output=True,
    )
    return made, key


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown issuer", "wrong host"])
async def test_without_a_valid_certificate_nothing_is_sent(
    certificate: tuple[Path, Path],
    trusted: bool,  # noqa: FBT001 # a case
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """reliability.md fault 28; and no key log is written for the environment (fault 49)."""
    made, key = certificate
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    if trusted:
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.load_verify_locations(made)
        monkeypatch.setattr(httpx2, "create_ssl_context", lambda **_: trusting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    async with _serving(_answer(), context) as server:
        error = await _error(server.url)
    assert error.problem.error_class is ErrorClass.ENDPOINT_UNKNOWN
    assert server.requests == []
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("http://example.com/v4", "'http://example.com/v4' would send the key unencrypted"),
        ("http://127.0.0.1.example.com", "would send the key unencrypted"),
        ("ftp://example.com", "'ftp://example.com' is no http"),
        ("example.com/v4", "is no http"),
        ("https:///v4", "is no http"),
        ("", "is no http"),
        ("https://example.com:port", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://example..com", "is no URL"),
        ("https://example.com/v4?version=1", "must end with its path"),
        ("https://example.com/v4#chat", "must end with its path"),
        ("https://someone:s3cret@example.com", "must not hold a user name or password"),
        ("https://s3cret@example.com:port", "must not hold a user name or password"),
        ("ftp://someone:s3cret@example.com", "must not hold a user name or password"),
    ],
)
async def test_an_address_the_key_must_not_go_to_is_refused(base_url: str, message: str) -> None:
    provider = replace(provider_named("glm"), base_url=base_url)
    with pytest.raises(ConfigurationError, match=re.escape(message)) as raised:
        async with http_client(provider, PATIENT, 1):
            pass
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "base_url",
    [
        "https://open.bigmodel.cn/api/paas/v4",
        "http://localhost:8000/v1",
        "http://127.0.0.1:8000",
        "http://[::1]:8000/",
        "HTTPS://EXAMPLE.COM",
        "https://例子.测试/v1",
    ],
)
async def test_https_and_this_machine_are_fine(base_url: str) -> None:
    provider = replace(provider_named("glm"), base_url=base_url)
    async with http_client(provider, PATIENT, 1) as http:
        assert not http.is_closed
    assert http.is_closed
