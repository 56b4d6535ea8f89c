"""Builders of requests, and a simulator with a client on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest

from batcher.simulator.config import SIMULATED_KEY, SIMULATED_MODEL, SimulatorConfig
from batcher.simulator.ledger import LedgerEntry, read_ledger
from batcher.simulator.service import serve
from batcher.simulator.validate import Asked, validate

Body = dict[str, Any]
MakeBody = Callable[..., Body]
MakeAsked = Callable[..., Asked]


def _body(content: object = "Say hello.", **fields: object) -> Body:
    return {
        "model": SIMULATED_MODEL,
        "messages": [{"role": "user", "content": content}],
    } | fields


@pytest.fixture(scope="session")
def make_body() -> MakeBody:
    """Return a builder of request bodies."""
    return _body


@pytest.fixture(scope="session")
def make_asked() -> MakeAsked:
    """Return a builder of requests that hold."""

    def asked(content: object = "Say hello.", **fields: object) -> Asked:
        return validate(_body(content, **fields))

    return asked


@dataclass(frozen=True, slots=True)
class Answered:
    """What a client sees of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 -- whatever the service said
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        code: str = self.json()["error"]["code"]
        return code


@dataclass(frozen=True, slots=True)
class Caller:
    """A client of one simulator."""

    base_url: str
    session: aiohttp.ClientSession
    ledger_path: Path

    async def ask(
        self,
        body: Body | bytes | None = None,
        path: str = "/chat/completions",
        method: str = "POST",
        **headers: str,
    ) -> Answered:
        """Ask as a well-behaved client does; headers are named with underscores."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body or _body())
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method, self.base_url + path, data=io.BytesIO(raw), headers=named
        ) as response:
            return Answered(response.status, response.headers, await response.read())

    @property
    def address(self) -> tuple[str, int]:
        url = urlsplit(self.base_url)
        return str(url.hostname), int(url.port or 0)

    def request(
        self, body: Body | None = None, length: int | None = None, header: bytes = b"X-More: no"
    ) -> bytes:
        """Return a request as it stands on the wire, or with another length than it has."""
        raw = msgspec.json.encode(body or _body())
        head = (
            f"POST {urlsplit(self.base_url).path}/chat/completions HTTP/1.1\r\n"
            f"Host: simulated\r\nAuthorization: Bearer {SIMULATED_KEY}\r\n"
            f"Content-Length: {len(raw) if length is None else length}\r\n"
        )
        return head.encode() + header + b"\r\n\r\n" + raw

    @asynccontextmanager
    async def connected(self, request: bytes | None = None) -> AsyncIterator[asyncio.StreamReader]:
        """Send a request over a bare socket, and hang up at the end of the block."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(request or self.request())
        try:
            yield reader
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def ledger(self) -> list[LedgerEntry]:
        return read_ledger(self.ledger_path)

    async def ended(self, count: int = 1) -> list[LedgerEntry]:
        """Return the ledger as soon as `count` requests have ended."""
        return await self._when(
            lambda entries: sum(e.finished_at is not None for e in entries), count
        )

    async def arrived(self, count: int = 1) -> list[LedgerEntry]:
        """Return the ledger as soon as `count` requests have arrived."""
        return await self._when(len, count)

    async def _when(
        self, number: Callable[[list[LedgerEntry]], int], count: int
    ) -> list[LedgerEntry]:
        async with asyncio.timeout(20):
            while number(entries := self.ledger()) < count:  # noqa: ASYNC110 -- a file has no event
                await asyncio.sleep(0.001)
        return entries


Simulate = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Hold a test to end without a warning in the log or a word on stderr."""
    yield
    records = caplog.get_records("call")
    assert [r.getMessage() for r in records if r.levelno >= logging.WARNING] == []
    assert capfd.readouterr().err == ""


@pytest.fixture
def simulate(tmp_path: Path) -> Simulate:
    """Return an opener of simulators: it takes the fields of the configuration."""

    @asynccontextmanager
    async def opened(
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        **fields: Any,  # noqa: ANN401 -- those of SimulatorConfig
    ) -> AsyncIterator[Caller]:
        ledger = tmp_path / "ledger.jsonl"
        given: dict[str, Any] = {"latency_s": 0, "ledger": ledger} | fields
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {SIMULATED_KEY}"}) as session,
            serve(SimulatorConfig(**given), clock=clock, sleep=sleep) as simulator,
        ):
            yield Caller(simulator.base_url, session, ledger)

    return opened
