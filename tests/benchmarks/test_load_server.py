"""The server of the benchmarks, as clients see it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from benchmarks.load_server import LoadServer, completion, serving

PATH = "/chat/completions"


@pytest.fixture(scope="module")
def server() -> Iterator[LoadServer]:
    with serving(0, None) as one:
        yield one


def ask(address: str, body: bytes | None = b"{}") -> bytes:
    """Return what a server answers; a GET where there is no body."""
    request = urllib.request.Request(address, body)  # noqa: S310 -- our own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310 -- our own server
        text: bytes = answer.read()
    return text


@pytest.mark.parametrize("size", [700, 701, 10_000])
def test_a_completion_is_as_long_as_asked(size: int) -> None:
    assert len(completion(size)) == size


def test_a_completion_has_a_text_however_short_it_is_to_be() -> None:
    assert json.loads(completion(1))["choices"][0]["message"]["content"]


def test_every_post_gets_the_completion_and_is_counted(server: LoadServer) -> None:
    before = server.stats()
    assert [ask(server.base_url + PATH) for _ in range(3)] == [completion(700)] * 3
    assert server.stats().calls == before.calls + 3
    assert server.stats().cpu_s >= before.cpu_s > 0


def test_a_large_request_that_comes_in_pieces_is_one_call(server: LoadServer) -> None:
    before = server.stats().calls
    assert ask(server.base_url + PATH, b"x" * 2**20) == completion(700)
    assert server.stats().calls == before + 1


def test_what_is_no_completion_is_refused_and_not_counted(server: LoadServer) -> None:
    before = server.stats().calls
    for address, body in ((server.base_url + PATH, None), (server.base_url + "/models", b"{}")):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ask(address, body)
    assert server.stats().calls == before


def test_the_answer_waits_for_the_latency() -> None:
    """With a latency the answer takes another way through the server; how long is not asserted."""
    with serving(1, None, answer_bytes=900) as one:
        assert ask(one.base_url + PATH) == completion(900)
