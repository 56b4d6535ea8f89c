"""The one place that posts to a webhook: httpx2's transport alone.

No client around it, which would follow redirects, keep cookies, and log each address.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import httpx2

import batcher
from batcher.observe.alerts.verdict import Answer

CONNECT_S, ANSWER_S = 5.0, 10.0
# What a platform says fits into far less.
_MOST_BYTES = 64 * 1024


class Outgoing(NamedTuple):
    """What is posted: JSON values, and what comes to the query of the address."""

    body: Mapping[str, object]
    query: Mapping[str, str]


class UnreachableError(Exception):
    """No answer came; the message says what came instead, and holds no address."""


Send = Callable[[Outgoing], Answer]


class Network(NamedTuple):
    """How to reach an address: whose certificates to trust, over which proxy."""

    certificates: ssl.SSLContext
    proxy: str | None


class Poster:
    """Posts to one address. TLS is verified; no redirect is followed, no cookie kept."""

    def __init__(
        self,
        address: str,
        network: Network,
        monotonic: Callable[[], float] = time.monotonic,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Post to `address`."""
        self._url = httpx2.URL(address)
        self._transport = transport or httpx2.HTTPTransport(
            verify=network.certificates, trust_env=False, proxy=network.proxy
        )
        self._monotonic = monotonic

    def __call__(self, outgoing: Outgoing) -> Answer:
        """Post once.

        Raises:
            UnreachableError: no answer came, or none in time.
        """
        request = httpx2.Request(
            "POST",
            self._url.copy_merge_params(outgoing.query) if outgoing.query else self._url,
            content=json.dumps(outgoing.body, ensure_ascii=False).encode("utf-8", "replace"),
            headers={
                "content-type": "application/json; charset=utf-8",
                "accept-encoding": "identity",
                "user-agent": f"batcher/{batcher.__version__}",
                # Alerts are rare; a kept connection would be stale by the next one.
                "connection": "close",
            },
            extensions={
                "timeout": {
                    "connect": CONNECT_S,
                    "write": CONNECT_S,
                    "pool": CONNECT_S,
                    "read": ANSWER_S,
                }
            },
        )
        until = self._monotonic() + ANSWER_S
        try:
            response = self._transport.handle_request(request)
            try:
                return Answer(response.status_code, _headers(response), self._body(response, until))
            finally:
                response.close()
        except httpx2.TimeoutException as error:
            raise UnreachableError("no answer in time") from error
        except httpx2.TransportError as error:
            # Its class says enough; its text might quote the address.
            raise UnreachableError(f"no connection ({type(error).__name__})") from error

    def _body(self, response: httpx2.Response, until: float) -> bytes:
        """Return the beginning of the body.

        Raises:
            UnreachableError: it drips.
        """
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) >= _MOST_BYTES:
                break
            if self._monotonic() > until:
                raise UnreachableError("no whole answer in time")
        return bytes(body[:_MOST_BYTES])


def _headers(response: httpx2.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
