"""A server that is never the bottleneck: one fixed completion, for as many as ask.

    python benchmarks/load_server.py --latency 50 --core 1

It answers every POST to `.../chat/completions` with one and the same completion, in the shape of
GLM's and OpenAI's, and `GET /stats` with what it counted. It prints its address once it listens.
uvloop moves the bytes, httptools (Node's parser) reads the requests; a prompt is never looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import cast

import httptools
import uvloop

_WORDS = "A fixed answer, as long as a short paragraph. "
STATS = "/stats"


@dataclass(frozen=True, slots=True)
class Stats:
    """What a server counted.

    Attributes:
        calls: Completions that were asked for.
        cpu_s: CPU seconds of the server since its start.
    """

    calls: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class LoadServer:
    """A server that runs."""

    address: str

    @property
    def base_url(self) -> str:
        """What clients are given."""
        return f"{self.address}/v4"

    def stats(self) -> Stats:
        """Ask what it counted so far."""
        with urllib.request.urlopen(self.address + STATS) as answer:  # noqa: S310 -- our own
            return Stats(**json.load(answer))


@contextmanager
def serving(latency_ms: float, core: int | None, answer_bytes: int = 700) -> Iterator[LoadServer]:
    """Run a server as a process of its own, on one core or (None) on any."""
    command = [
        sys.executable,
        __file__,
        f"--latency={latency_ms}",
        f"--answer-bytes={answer_bytes}",
    ]
    if core is not None:
        command.append(f"--core={core}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 -- our own
        try:
            assert server.stdout is not None  # noqa: S101 -- it is a pipe
            yield LoadServer(server.stdout.readline().strip())
        finally:
            server.terminate()


def completion(size: int) -> bytes:
    """Return the completion, of `size` bytes or as many as one needs at least."""

    def written(text: str) -> bytes:
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 60, "completion_tokens": 90, "total_tokens": 150}
        body = {
            "id": "20250101000000load",
            "request_id": "20250101000000load",
            "object": "chat.completion",
            "created": 1735689600,
            "model": "glm-4.7",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": usage,
        }
        return json.dumps(body).encode()

    room = max(size - len(written("")), 1)
    return written((_WORDS * (room // len(_WORDS) + 1))[:room])


def response(status: str, body: bytes) -> bytes:
    """Return a whole response."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


class Service:
    """What all connections share: the answer, when it is due, and the count of calls."""

    def __init__(self, latency_s: float, answer_bytes: int) -> None:
        self.latency_s = latency_s
        self.answer = response("200 OK", completion(answer_bytes))
        self.calls = 0

    def stats(self) -> bytes:
        """Return the response that tells what was counted."""
        counted = Stats(self.calls, time.process_time())
        return response("200 OK", json.dumps(asdict(counted)).encode())


class Connection(asyncio.Protocol):
    """One client's connection; requests on it come one after the other."""

    __slots__ = ("_loop", "_parser", "_service", "_transport", "_url")

    _transport: asyncio.Transport

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        # uvloop's own, which has that interface without being of that class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        """Begin a request; its address may come in pieces."""
        self._url = b""

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address."""
        self._url += url

    def on_message_complete(self) -> None:
        """Answer."""
        if self._url.endswith(b"/chat/completions") and self._parser.get_method() == b"POST":
            service = self._service
            service.calls += 1
            if service.latency_s:
                self._loop.call_later(service.latency_s, self._transport.write, service.answer)
            else:
                self._transport.write(service.answer)
        elif self._url == STATS.encode():
            self._transport.write(self._service.stats())
        else:
            self._transport.write(response("404 Not Found", b"{}"))


async def _listen(service: Service) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(service, loop), "127.0.0.1", 0, backlog=4096
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS")
    parser.add_argument("--answer-bytes", type=int, default=700, metavar="N")
    parser.add_argument("--core", type=int, help="the only core to use")
    asked = parser.parse_args()
    if asked.core is not None:
        os.sched_setaffinity(0, {asked.core})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(_listen(Service(asked.latency / 1000, asked.answer_bytes)))


if __name__ == "__main__":
    main()
