"""What a call knows of its connection, told by aiohttp's own protocol.

No call goes out by a connection that its server has closed or spoken on unasked; and what failed
before it had a connection was certainly not sent.
"""

from __future__ import annotations

import asyncio
import functools
import select
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

# Servers close an idle connection after 5 s at the earliest (uvicorn, and so vLLM); one that is
# closed just as it is used again looks like a call that was cut, so it is given up before.
KEEP_ALIVE_S = 4.0


@dataclass(slots=True)
class Line:
    """One call's connection: once it is `taken`, bytes of the request may have been sent.

    `stale` says that the one at hand turned out to be closed, and nothing went out by it.
    """

    taken: bool = False
    stale: bool = False


_line: ContextVar[Line] = ContextVar("line")


def new_line() -> Line:
    """Return the line of the call that the running task begins."""
    line = Line()
    _line.set(line)
    return line


def is_stale() -> bool:
    """Whether the connection that the running task's call was given is closed already."""
    return _line.get().stale


class _Protocol(ResponseHandler):
    """A connection that tells its call whether it is taken, and that none but its call may use."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._used = False
        self._answer: aiohttp.StreamReader | None = None

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401 -- aiohttp's own
        """Serve the next call."""
        line = _line.get()
        line.stale = self._used and _has_news(self.transport)
        if line.stale:
            # So that aiohttp, which is about to write the request, finds that it cannot.
            self.close()
        else:
            self._used = line.taken = True
        self._answer = None
        super().set_response_params(**params)

    def feed_data(self, data: tuple[Any, aiohttp.StreamReader], size: int = 0) -> None:
        """Note the answer's body with the head before it; an interim head is none."""
        message, body = data
        if message.code >= HTTPStatus.OK:
            self._answer = body
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Take in bytes of the answer; by none, aiohttp goes on with those it has."""
        if data and self._answer is not None and self._answer.is_eof():
            # aiohttp would take it for the answer to the next call, which is another row's.
            self.close()
            return
        super().data_received(data)


def _has_news(idle: asyncio.Transport | None) -> bool:
    """Whether something has come on an idle connection: its end, or what nobody asked for."""
    return idle is None or bool(_ready(idle.get_extra_info("socket").fileno()))


def _ready(descriptor: int) -> list[tuple[int, int]]:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return poll.poll(0)


class Connector(aiohttp.TCPConnector):
    """Connections that tell their calls how they are used."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 -- aiohttp's own
        super().__init__(**options)
        protocol: type[ResponseHandler] = _Protocol
        # Reads what it replaces: another aiohttp, which has no such factory, fails at once, and
        # not by calling a request unsent that was sent.
        self._factory = functools.partial(protocol, **self._factory.keywords)
