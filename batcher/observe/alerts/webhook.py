"""A webhook with its address and its secret, which nothing shows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

from batcher.errors import ConfigurationError
from batcher.job import Shape
from batcher.observe.alerts.alert import Event

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Whom to tell: `shape` says in which form, `on` of what; only the `host` may be shown."""

    shape: Shape
    host: str
    address: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    on: Collection[str] = tuple(Event)

    @classmethod
    def of(
        cls, shape: Shape, address: str, where: str, *, secret: str | None, on: Collection[str]
    ) -> Webhook:
        """Return the webhook at `address`, which `where` names in an error.

        Raises:
            ConfigurationError: it is no address to send to; the message never shows it.
        """
        if not address.isascii() or any(c.isspace() or not c.isprintable() for c in address):
            raise ConfigurationError(f"{where}: the address holds characters that no URL has")
        try:
            parts = urlsplit(address)
            host, _ = parts.hostname, parts.port
            # What posts to it is stricter.
            httpx2.URL(address)
        except (ValueError, httpx2.InvalidURL):
            raise ConfigurationError(f"{where}: the address is no URL") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ConfigurationError(f"{where}: the address is no URL that begins with https://")
        if parts.username is not None or parts.password is not None:
            raise ConfigurationError(f"{where}: the address must not hold a user name or password")
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise ConfigurationError(
                f"{where}: plain http to {host} would send the address unencrypted; use https"
            )
        return cls(shape, host, address.partition("#")[0], secret, on)

    def wants(self, event: Event) -> bool:
        """Whether it is to be told of `event`."""
        return event.told_as in self.on
