"""Whom a task calls and with which keys, as an Airflow connection says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

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
    def extra_dejson(self) -> Mapping[str, Any]:
        """What else there is, as JSON."""


@dataclass(frozen=True, slots=True)
class Account:
    """Keys that show themselves nowhere, and the options of a run that go with them.

    Both come from one place, so that keys go to the address that they are meant for: what a job
    says of these options does not count beside them.
    """

    keys: tuple[Secret, ...] | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def account_of(connection: Connection, mask: Callable[[str], object]) -> Account:
    """Return what a connection says; `mask` hears of each key, to keep it out of logs.

    Raises:
        CredentialsError: it holds no key.
        ConfigurationError: its extra says what it may not, or of what kind it may not be.
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
    extra = connection.extra_dejson
    for option, value in extra.items():
        if option not in _EXTRA:
            raise ConfigurationError(
                f"the connection {name}: its extra says {option!r}; it may say "
                f"{', '.join(_EXTRA)}. All else belongs into the job"
            )
        if not isinstance(value, str):
            raise ConfigurationError(f"the connection {name}: {option} in its extra is no text")
    options = {"base_url": base} if (base := _base_url(connection)) else {}
    return Account(tuple(map(Secret, keys)), {**options, **extra})


def _base_url(connection: Connection) -> str | None:
    """Return the address as Airflow's own HTTP hook puts it together."""
    host = (connection.host or "").rstrip("/")
    if not host:
        return None
    base = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    return f"{base}:{connection.port}" if connection.port else base
