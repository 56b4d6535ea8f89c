"""`alert`: what the webhooks of a job would be told, with figures that are made up."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from batcher.durations import seconds_of
from batcher.errors import ConfigurationError, ErrorClass, UsageError
from batcher.job import JobSpec, WebhookSpec
from batcher.money import NANOS, Money, money_of
from batcher.observe.alerts import (
    REAL_CLOCKS,
    Alert,
    Cause,
    Clocks,
    Event,
    Figures,
    Send,
    Webhook,
    Why,
    attempt,
    payload_of,
    signature_of,
)
from batcher.providers import Pricing
from batcher.runs.alerting import run_name, sender
from batcher.runs.ceilings import check_costs
from batcher.runs.webhooks import webhook_of
from batcher.wording import did_you_mean

HIDDEN = "***"


class Sent(NamedTuple):
    """What came of a test message."""

    number: int
    host: str
    event: Event
    delivered: bool
    said: str


@dataclass(frozen=True, slots=True)
class Trial:
    """Tries the webhooks of a job out. With an `event`, those that are told of it."""

    job: JobSpec
    variables: Mapping[str, str]
    event: Event | None = None
    clocks: Clocks = REAL_CLOCKS

    def payloads(self) -> Iterator[dict[str, object]]:
        """Yield what each webhook would get, without its address, signature and secret.

        Raises:
            UsageError: no webhook is told of the event, or there is none at all.
            ConfigurationError: what costs are told of could never be passed; or an address is
                missing or wrong: after all that was to be shown.
        """
        wrong: list[ConfigurationError] = []
        for number, spec, event in self._told():
            url: str | None = None
            try:
                parts = urlsplit(webhook_of(spec, number, self.variables).address)
                url = f"{parts.scheme}://{parts.netloc}/{HIDDEN}"
            except ConfigurationError as error:
                wrong.append(error)
            # By any secret: what it makes is not shown.
            secret = HIDDEN if spec.secret_env is not None else None
            in_body, query = signature_of(spec.shape, secret, 0.0)
            payload = payload_of(spec.shape, self._example(event), self.job.observe.lang)
            yield {
                "webhook": number,
                "shape": spec.shape,
                "event": event.value,
                "url": url,
                "query": dict.fromkeys(query, HIDDEN),
                "body": {**dict.fromkeys(in_body, HIDDEN), **payload},
            }
        if wrong:
            raise wrong[0]

    def send(self, send: Callable[[Webhook], Send] | None = None) -> Iterator[Sent]:
        """Send each webhook one message, marked as a test, once; yield what came of it.

        Raises:
            UsageError: see `payloads`.
            ConfigurationError: see `payloads`; found before anything is sent.
        """
        make = send or sender(self.job)
        told = [
            (number, webhook_of(spec, number, self.variables), event)
            for number, spec, event in self._told()
        ]
        for number, webhook, event in told:
            payload = payload_of(webhook.shape, self._example(event), self.job.observe.lang)
            found = attempt(webhook, make(webhook), payload, self.clocks.now())
            yield Sent(number, webhook.host, event, found.delivered, found.said)

    def _told(self) -> list[tuple[int, WebhookSpec, Event]]:
        """Return by number who would be told, and of what: of the first thing it is told of."""
        webhooks = self.job.alerts.webhooks
        if not webhooks:
            raise UsageError("the job has no [[alerts.webhooks]]; docs/alerts.md shows some")
        check_costs(self.job, self._pricing)
        told = [
            (number, spec, self.event or Event(spec.on[0]))
            for number, spec in enumerate(webhooks, 1)
            if self.event is None or self.event.told_as in spec.on
        ]
        if not told:
            raise UsageError(f"no webhook of the job is told of `{self.event}`; see its `on`")
        return told

    @property
    def _pricing(self) -> Pricing:
        return Pricing.of(self.job.provider.name, self.job.prices)

    def _example(self, event: Event) -> Alert:
        alerts = self.job.alerts
        unit = self._pricing.unit or "CNY"
        cost = money_of(alerts.costs[0]) if alerts.costs else Money(10 * NANOS, unit)
        over: Mapping[Event, Money | str] = {
            Event.COST: cost,
            Event.ERROR_RATE: alerts.error_rate_over or "5%",
        }
        lasted = seconds_of(alerts.outage_after) + 1.0
        figures = Figures(
            done=12_000 if event is Event.FINISH else 8_000,
            total=12_000,
            results=11_940 if event is Event.FINISH else 7_540,
            errors={ErrorClass.CONTENT_FILTERED: 40, ErrorClass.SERVER_ERROR: 20}
            if event is Event.FINISH
            else {ErrorClass.CONTENT_FILTERED: 440, ErrorClass.SERVER_ERROR: 20},
            cost=cost.nanos + NANOS // 100,
            possible_cost=NANOS // 50,
            currency=cost.currency,
            rows_per_s=40.0,
            left_s=100.0 if event not in (Event.FINISH, Event.FAILURE) else None,
        )
        return Alert(
            event,
            run_name(self.job),
            socket.gethostname(),
            self.clocks.now(),
            figures.without_speed() if event.is_of_outage else figures,
            why=Why(Cause.PROVIDER, ErrorClass.BALANCE.value, ErrorClass.BALANCE.rule.exit_code)
            if event is Event.FAILURE
            else None,
            lasted=lasted if event.is_of_outage else None,
            over=over.get(event),
            test=True,
        )


def event_named(name: str) -> Event:
    """Return the event of this name.

    Raises:
        UsageError: there is none.
    """
    try:
        return Event(name)
    except ValueError:
        near = did_you_mean(name, Event)
        raise UsageError(f"there is no event {name!r}{near} Known: {', '.join(Event)}") from None
