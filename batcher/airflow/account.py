"""Whom a task calls and with which keys, as an Airflow connection says it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from batcher.api.secret import Secret
from batcher.errors import ConfigurationError, CredentialsError

# What a connection's extra may say; each is an option of a run.
_EXTRA = ("provider", "base_url", "auth")


class Connection(Protocol):
    """What is read of an Airflow connection."""

    conn_id: str
    host: str | None
    schema: str | None
    port: int | None

    @property
    def password(self) -> str | None:
        """The key, or several with commas between them."""

    @property
    def extra(self) -> str | None:
        """What else there is, as JSON."""


@dataclass(frozen=True, slots=True)
class Account:
    """Keys that show themselves nowhere, and the options of a run that go with them.

    Both come from one place, so that keys go to the address that they are meant for: what a job
    says of these options does not count beside them. Where they say nothing of it, it is the
    job's, else the provider's own; one of the environment goes with its own keys.
    """

    keys: tuple[Secret, ...] | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def account_of(connection: Connection, mask: Callable[[str], object]) -> Account:
    """Return what a connection says; `mask` hears of each key, to keep it out of logs.

    Raises:
        CredentialsError: it holds no key.
        ConfigurationError: its extra says what it may not, or of what kind it may not be; or its
            host, schema and port make no address.
    """
    name = connection.conn_id
    keys = [key.strip(" ") for key in (connection.password or "").split(",")]
    if keys == [""]:
        raise CredentialsError(
            f"the connection {name} holds no API key; write it into the password (several with "
            "commas between them)"
        )
    for key in keys:
        mask(key)
    extra = _extra(connection)
    base = None if "base_url" in extra else _base_url(connection)
    return Account(tuple(map(Secret, keys)), {**({"base_url": base} if base else {}), **extra})


def _extra(connection: Connection) -> Mapping[str, str]:
    """Return what the extra says; of what is wrong no value is shown.

    Airflow reads one that is no JSON as an empty one: the key would go to another address.
    """
    name = connection.conn_id
    try:
        extra: Any = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ConfigurationError(
            f"the connection {name}: its extra is no JSON object, such as "
            '{"provider": "glm"} with double quotes'
        )
    for option, value in extra.items():
        if option not in _EXTRA:
            raise ConfigurationError(
                f"the connection {name}: its extra says {option!r}; it may say "
                f"{', '.join(_EXTRA)}. All else belongs into the job"
            )
        if not isinstance(value, str):
            raise ConfigurationError(f"the connection {name}: {option} in its extra is no text")
    return extra


_WHOLE_ADDRESS = "write the whole address into base_url of its extra"


def _base_url(connection: Connection) -> str | None:
    """Return the address that host, schema and port make, None where they name none."""
    name, port = connection.conn_id, connection.port
    host, schema = (connection.host or "").rstrip("/"), (connection.schema or "https").lower()
    if schema not in ("http", "https"):
        # Airflow takes the path of a URI for it.
        raise ConfigurationError(
            f"the connection {name}: its schema is neither http nor https; if it is the path of an "
            f"address, {_WHOLE_ADDRESS}"
        )
    if not host:
        if port:
            raise ConfigurationError(f"the connection {name} has a port and no host")
        return None
    host = f"[{host}]" if _is_ipv6(host) else host
    try:
        address = urlsplit(host if "://" in host else f"{schema}://{host}")
        own = address.port
    except ValueError:
        raise ConfigurationError(
            f"the connection {name}: its host is no address; {_WHOLE_ADDRESS}"
        ) from None
    if port and own is None:
        address = address._replace(netloc=f"{address.netloc}:{port}")
    elif port and own != port:
        raise ConfigurationError(
            f"the connection {name}: its host has a port, {own}, and its port is {port}"
        )
    return address.geturl()


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
