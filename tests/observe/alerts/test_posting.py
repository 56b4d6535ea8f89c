"""Posting, to a real server."""

from __future__ import annotations

import itertools
import logging
import socket
import ssl
import threading
from collections.abc import Iterator

import httpx2
import pytest
import trustme

import batcher
from batcher.observe.alerts import Network, Outgoing, Poster
from batcher.observe.alerts.posting import UnreachableError
from tests.ports import kept_port
from tests.webhooks import PATH, Reply, hook

PLAIN = Network(ssl.create_default_context(), None)
HELLO = Outgoing({"text": "你好 \ud800"}, {})


def test_an_alert_arrives_as_json_in_utf_8() -> None:
    with hook() as server:
        answer = Poster(server.url, PLAIN)(HELLO)
    (taken,) = server.taken
    assert (answer.status, answer.body) == (200, b'{"code": 0, "errcode": 0}')
    assert (taken.target, taken.body) == (PATH, {"text": "你好 ?"})
    assert taken.headers["content-type"] == "application/json; charset=utf-8"
    assert taken.headers["user-agent"] == f"batcher/{batcher.__version__}"


def test_what_comes_to_the_query_stands_beside_what_is_there() -> None:
    with hook() as server:
        Poster(f"{server.url}?access_token=t%2B1", PLAIN)(Outgoing({}, {"sign": "a+/b="}))
    assert server.taken[0].query == {"access_token": "t+1", "sign": "a+/b="}


def test_no_redirect_is_followed() -> None:
    with hook() as other, hook([Reply(302, b"", {"location": other.url})]) as server:
        answer = Poster(server.url, PLAIN)(HELLO)
    assert (answer.status, len(server.taken), other.taken) == (302, 1, [])


def test_headers_are_found_by_their_names_in_lower_case() -> None:
    with hook([Reply(429, headers={"Retry-After": "3"})]) as server:
        assert Poster(server.url, PLAIN)(HELLO).headers["retry-after"] == "3"


def test_of_a_large_answer_only_the_beginning_is_read() -> None:
    with hook([Reply(body=b"x" * 1_000_000)]) as server:
        assert len(Poster(server.url, PLAIN)(HELLO).body) == 64 * 1024


def test_no_logger_hears_of_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with hook() as server:
        Poster(server.url, PLAIN)(HELLO)
    assert PATH.removeprefix("/") not in caplog.text
    assert "canary" not in caplog.text


def test_a_server_that_is_not_there_is_told_of_without_its_address() -> None:
    with kept_port() as port, pytest.raises(UnreachableError) as raised:
        Poster(f"http://127.0.0.1:{port}/canary", PLAIN)(HELLO)
    assert str(raised.value) == "no connection (ConnectError)"


def test_an_unknown_certificate_is_refused_before_anything_is_sent() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    heard: list[bytes] = []

    def serve() -> None:
        with listener.accept()[0] as connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    heard.append(secured.recv(1000))
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        address = f"https://127.0.0.1:{listener.getsockname()[1]}/canary"
        with pytest.raises(UnreachableError):
            Poster(address, PLAIN)(HELLO)
        thread.join()
    assert heard == []


class _Dripping(httpx2.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        return itertools.repeat(b".")


def test_an_answer_that_drips_for_ever_is_given_up() -> None:
    """By the clock between two pieces, which passes a second each time it is looked at."""
    clock = itertools.count()
    poster = Poster("http://127.0.0.1/", PLAIN, lambda: float(next(clock)))
    with pytest.raises(UnreachableError, match="no whole answer in time"):
        poster._body(httpx2.Response(200, stream=_Dripping()), 10.0)


def test_an_answer_that_does_not_come_in_time_is_told_of() -> None:
    """httpx2 keeps the time; that it is given so much is what is looked at here."""

    def slow(request: httpx2.Request) -> httpx2.Response:
        assert request.extensions["timeout"] == {"connect": 5, "write": 5, "pool": 5, "read": 10}
        raise httpx2.ReadTimeout("canary")

    poster = Poster("http://127.0.0.1/canary", PLAIN, transport=httpx2.MockTransport(slow))
    with pytest.raises(UnreachableError) as raised:
        poster(HELLO)
    assert str(raised.value) == "no answer in time"
