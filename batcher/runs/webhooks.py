"""The webhooks of a job, with their addresses from the environment or a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from batcher.errors import ConfigurationError
from batcher.job import AlertsSpec, WebhookSpec
from batcher.observe.alerts import Webhook


def webhooks_of(alerts: AlertsSpec, variables: Mapping[str, str]) -> Iterator[Webhook]:
    """Yield whom to tell; `variables` are those of the environment.

    Raises:
        ConfigurationError: an address or a secret is missing or wrong; no message shows one.
    """
    for number, spec in enumerate(alerts.webhooks, 1):
        yield webhook_of(spec, number, variables)


def webhook_of(spec: WebhookSpec, number: int, variables: Mapping[str, str]) -> Webhook:
    """Return the webhook of this number.

    Raises:
        ConfigurationError: see `webhooks_of`.
    """
    where = f"[[alerts.webhooks]] {number}"
    if spec.url_env is not None:
        named, address = spec.url_env, _variable(spec.url_env, where, variables)
    else:
        named = str(spec.url_file)
        address = _first_line(Path(named), where)
    secret = None
    if spec.secret_env is not None:
        secret = _variable(spec.secret_env, where, variables)
    return Webhook.of(spec.shape, address, f"{where} ({named})", secret=secret, on=spec.on)


def _variable(name: str, where: str, variables: Mapping[str, str]) -> str:
    value = variables.get(name, "").strip()
    if not value:
        raise ConfigurationError(
            f"{where}: {name} is not set; set it in the environment or in .env"
        )
    return value


def _first_line(path: Path, where: str) -> str:
    try:
        lines = path.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"{where}: cannot read url_file {path}: {reason}") from None
    if len(lines) != 1:
        raise ConfigurationError(
            f"{where}: url_file {path} must hold one address, and nothing else"
        )
    return lines[0]
