"""A door before a store, on the loopback: it lets requests through, or disturbs them on command."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Verdict = Literal["pass", "drop", "hang", "fail", "refuse"]
"""What becomes of a request: it goes through; its connection is cut, before the store hears of it;
nothing is ever said; the store is said to have failed (500), or not to allow it (403)."""


@dataclass(frozen=True)
class Asked:
    """A request, and how many like it (of its method and place, less their query) came before."""

    method: str
    place: str
    query: str
    before: int


_REFUSED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
_OF_A_CONNECTION = ("connection", "transfer-encoding", "content-length", "expect")

Judge = Callable[[Asked], Verdict]
Change = Callable[[Asked, bytes], bytes]


def let_all(_: Asked) -> Verdict:
    """Let everything through."""
    return "pass"


def as_it_is(_: Asked, said: bytes) -> bytes:
    """Pass on what the store says."""
    return said


@dataclass
class Door:
    """Where it is, what came, what becomes of what comes, and of what the store answers."""

    url: str
    judge: Judge = let_all
    change: Change = as_it_is
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def noted(self, method: str, target: str) -> Asked:
        """Note a request."""
        place, _, query = target.partition("?")
        before = sum((one.method, one.place) == (method, place) for one in self.asked)
        asked = Asked(method, place, query, before)
        self.asked.append(asked)
        return asked


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    made: Door
    store: str

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name
        """Say nothing."""

    def _answer(self) -> None:
        body = self._body()
        asked = self.made.noted(self.command, self.path)
        match self.made.judge(asked):
            case "pass":
                self._pass_on(asked, body)
            case "fail":
                self.send_response(500)
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "refuse":
                self.send_response(403)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(_REFUSED)))
                self.end_headers()
                self.wfile.write(_REFUSED)
            case "hang":
                self.made.over.wait()
                self.close_connection = True
            case "drop":
                self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 -- its names

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _pass_on(self, asked: Asked, body: bytes) -> None:
        behind = http.client.HTTPConnection(self.store)
        headers = {n: v for n, v in self.headers.items() if n.lower() not in _OF_A_CONNECTION}
        behind.request(self.command, self.path, body, headers)
        answer = behind.getresponse()
        content = self.made.change(asked, answer.read())
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _OF_A_CONNECTION:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        behind.close()


@contextlib.contextmanager
def door(store: str) -> Iterator[Door]:
    """Open a door before the store at the address `store`, such as http://127.0.0.1:5000."""
    made = Door("")
    facts = {"made": made, "store": store.removeprefix("http://")}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), facts))
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        server.shutdown()
        server.server_close()
