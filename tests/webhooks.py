"""A server on the loopback that takes alerts, remembers them, and answers as it is told."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PATH = "/hook/canary-address"
SECRET = "canary-secret-of-a-bot"  # noqa: S105 -- of a server of ours
FINE = b'{"code": 0, "errcode": 0}'


@dataclass(frozen=True)
class Reply:
    """How a request is answered."""

    status: int = 200
    body: bytes = FINE
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """One alert as it arrived; names of headers in lower case."""

    target: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass
class Hook:
    """The running server. `hold` keeps it from answering until it is set."""

    url: str = ""
    taken: list[Taken] = field(default_factory=list)
    hold: threading.Event | None = None

    def events(self) -> list[str]:
        """Return what generic webhooks were told of, in order."""
        return [one.body["event"] for one in self.taken]


@contextlib.contextmanager
def hook(replies: Sequence[Reply] = (), hold: threading.Event | None = None) -> Iterator[Hook]:
    """Serve: one reply after the other, then that all is well."""
    served = Hook(hold=hold)
    left = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            served.taken.append(Taken(self.path, headers, json.loads(body)))
            if served.hold is not None:
                served.hold.wait()
            reply = left.pop(0) if left else Reply()
            with contextlib.suppress(OSError):
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        if served.hold is not None:
            served.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
