"""What the network does, in the words of this program: not sent, ambiguous, malformed, or wrong."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from batcher.engine.client import Timeouts
from batcher.errors import ErrorClass
from tests.one_call import PATIENT, SHORT_S, error_at, error_of, error_once_connected
from tests.ports import kept_port
from tests.toxic import (
    ANSWER,
    CHUNKED,
    EVENT_STREAM,
    EVENTS,
    Behaviour,
    head,
    says,
    says_and_closes,
    says_and_resets,
)


@pytest.fixture
def refusing() -> Iterator[str]:
    """Return an address where nothing listens."""
    with kept_port() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def deaf() -> Iterator[str]:
    """Return an address where no connection comes about: its queue is full."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        # One connection is more than this backlog holds; further ones get no reply.
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"


async def test_a_refused_connection_is_not_sent(refusing: str) -> None:
    error = await error_at(refusing)
    assert error.problem.error_class is ErrorClass.NOT_SENT
    assert error.problem.http_status is None


async def test_a_connection_that_does_not_come_about_in_time_is_not_sent(deaf: str) -> None:
    error = await error_at(deaf, replace(PATIENT, connect=SHORT_S))
    assert error.problem.error_class is ErrorClass.NOT_SENT


async def test_a_call_whose_whole_time_passes_before_it_has_a_connection_is_not_sent(
    deaf: str,
) -> None:
    error = await error_at(deaf, Timeouts(30, 30, SHORT_S))
    assert error.problem.error_class is ErrorClass.NOT_SENT
    assert error.problem.message == "no whole answer within 0.3 s"


async def test_a_host_that_is_not_found_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(host: str, *_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host}")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    error = await error_at("https://llm.invalid")
    assert error.problem.error_class is ErrorClass.NOT_SENT
    assert "llm.invalid" in error.problem.message


@pytest.mark.parametrize("end", [says_and_closes, says_and_resets], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"HTTP/1.1 200 OK\r\nContent-Type: applica"],
        [head(f"Content-Length: {len(ANSWER)}"), ANSWER[:100]],
        [head(CHUNKED), b"2\r\n{}\r\n"],
        [head("Connection: close"), ANSWER[:100]],
        [head("Connection: close")],
        [head(EVENT_STREAM), EVENTS],
    ],
    ids=[
        *("nothing", "half a head", "half a body", "half a chunked body"),
        *("half a body without a length", "only a head", "half a stream"),
    ],
)
async def test_a_connection_lost_after_the_request_was_read_is_ambiguous(
    pieces: list[bytes], end: Callable[..., Behaviour]
) -> None:
    error = await error_of(end(*pieces))
    assert error.problem.error_class is ErrorClass.AMBIGUOUS


@pytest.mark.parametrize(
    "said",
    [
        head("Content-Type: text/html", "Content-Length: 13") + b"<html></html>",
        b"SSH-2.0-OpenSSH_9.6 \x1b[31m\r\n\r\n",
        head("X: " + "x" * 100_000),
        head(*(f"X-{n}: x" for n in range(200))),
        head("Transfer-Encoding: chunked") + b"nonsense\r\n",
        head("Content-Length: -1"),
    ],
    ids=["html", "not http", "endless header", "too many headers", "chunks", "length"],
)
async def test_what_is_no_answer_is_malformed(said: bytes) -> None:
    error = await error_of(says_and_closes(said))
    assert error.problem.error_class is ErrorClass.MALFORMED_ANSWER
    assert error.problem.message.isprintable()
    assert len(error.problem.message) <= 500


async def test_heads_without_an_end_take_no_longer_than_the_call_may() -> None:
    interim = head(status="102 Processing")
    error = await error_once_connected(says(*[interim] * 50), Timeouts(30, 30, SHORT_S))
    assert error.problem.error_class is ErrorClass.AMBIGUOUS


async def test_an_address_that_only_the_call_finds_wrong_stops_the_run() -> None:
    error = await error_at("https://example.com:99999")
    assert error.problem.error_class is ErrorClass.ENDPOINT_UNKNOWN
