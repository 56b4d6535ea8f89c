"""Whom a run tells of what happens to it: `[alerts]` of a job file.

The address of a webhook opens it to whoever knows it. A job is written down, in run.json and in the
checkpoint, so it never holds an address: only where to find it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec

from batcher.errors import ConfigurationError
from batcher.job.table import Amount, Duration, Share, Table

Variable = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\Z")]
Path = Annotated[str, msgspec.Meta(min_length=1)]
Told = Literal["finish", "failure", "outage", "error_rate", "cost"]
Shape = Literal["generic", "slack", "feishu", "dingtalk", "wecom"]

SIGNED: tuple[Shape, ...] = ("feishu", "dingtalk")
"""The shapes whose bots may want a signature."""

_SECRETS = {
    "url": "url_env, the name of an environment variable that has it, or url_file, a file",
    "secret": "secret_env, the name of an environment variable that has it",
}


class WebhookSpec(Table, frozen=True):
    """One webhook: where to find its address, how it wants to be told, and of what.

    The address stands in the variable `url_env`, or in the file `url_file`; what signs messages, in
    the variable `secret_env`. An `outage` is told of at its beginning and at its end.
    """

    shape: Shape = "generic"
    url_env: Variable | None = None
    url_file: Path | None = None
    secret_env: Variable | None = None
    on: tuple[Told, ...] = get_args(Told)


class AlertsSpec(Table, frozen=True):
    """When the webhooks of a run are told something.

    `outage_after` is how long no call can be made; `error_rate_over` the share of the rows of a
    process that end in errors, after 100 of them; `cost_over` what the whole run costs, as
    `max_cost` counts it: one amount or several.
    """

    outage_after: Duration = "10m"
    error_rate_over: Share | None = None
    cost_over: Amount | tuple[Amount, ...] = ()
    webhooks: tuple[WebhookSpec, ...] = ()

    @property
    def costs(self) -> tuple[str, ...]:
        """The amounts of `cost_over`."""
        return (self.cost_over,) if isinstance(self.cost_over, str) else self.cost_over


def refuse_secrets(tables: Mapping[str, Any], where: str) -> None:
    """Refuse a job that holds an address of a webhook or a secret; before any value is shown.

    Raises:
        ConfigurationError: it does; the message never shows it.
    """
    alerts = tables.get("alerts")
    webhooks = alerts.get("webhooks") if isinstance(alerts, Mapping) else None
    if not isinstance(webhooks, list | tuple | None):
        raise ConfigurationError(
            f"{where}: [alerts] webhooks is a list of tables; write [[alerts.webhooks]] above each"
        )
    for number, webhook in enumerate(webhooks or (), 1):
        if not isinstance(webhook, Mapping):
            continue
        for key, value in webhook.items():
            if key in _SECRETS:
                raise ConfigurationError(
                    f"{where}: [[alerts.webhooks]] {number}: `{key}` is a secret, and a job is "
                    f"written into run.json; write {_SECRETS[key]}"
                )
            if isinstance(value, str) and "://" in value:
                raise ConfigurationError(
                    f"{where}: [[alerts.webhooks]] {number}: {key} holds an address, which is a "
                    "secret, and a job is written into run.json; write the name of an environment "
                    "variable as url_env, or a file as url_file"
                )


def check_alerts(alerts: AlertsSpec, where: str) -> None:
    """Make sure that each webhook can be found, and that alerts can come.

    Raises:
        ConfigurationError: one has no address, or two, or a secret of no use; or there is none.
    """
    for number, webhook in enumerate(alerts.webhooks, 1):
        named = f"{where}: [[alerts.webhooks]] {number}"
        if (webhook.url_env is None) == (webhook.url_file is None):
            raise ConfigurationError(
                f"{named}: name either url_env, an environment variable that has its address, or "
                "url_file, a file"
            )
        if webhook.secret_env is not None and webhook.shape not in SIGNED:
            raise ConfigurationError(
                f"{named}: secret_env is for the shapes {' and '.join(SIGNED)}, whose bots check "
                f"signatures; {webhook.shape} knows none"
            )
        if not webhook.on:
            raise ConfigurationError(
                f"{named}: on = [] would tell it of nothing; leave it out for everything"
            )
    if len({amount[-3:] for amount in alerts.costs}) > 1:
        raise ConfigurationError(f"{where}: [alerts] cost_over: write all in one currency")
    if alerts != AlertsSpec() and not alerts.webhooks:
        raise ConfigurationError(
            f"{where}: [alerts] has no [[alerts.webhooks]], so nobody would be told"
        )
