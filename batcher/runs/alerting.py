"""Alerts joined to a run: what happens in it, and how it ends, is told to the job's webhooks."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import inf
from typing import Protocol

from batcher.durations import seconds_of
from batcher.engine.client import network_of
from batcher.errors import (
    Interruption,
    OutputError,
)
from batcher.job import JobSpec
from batcher.limits import Flow
from batcher.money import Money, money_of
from batcher.observe import EventLog, Tally, Watcher
from batcher.observe.alerts import (
    REAL_CLOCKS,
    Alert,
    Clocks,
    Delivery,
    Event,
    Figures,
    Network,
    Poster,
    Rules,
    Seen,
    Sighting,
    Undelivered,
    Webhook,
    Why,
)
from batcher.providers import Pricing
from batcher.records import Exchange
from batcher.runs.causes import why_ended, why_raised
from batcher.runs.ceilings import check_costs, currency_of
from batcher.runs.finish import AT_ONCE_S, EXIT_S
from batcher.runs.previous import directory_of
from batcher.runs.result import RunResult
from batcher.runs.stopping import Hearing, Stopping, go_on
from batcher.runs.webhooks import webhooks_of

# So long a run waits at its end until its last alert is delivered; less where a signal ended it
# before the first call, or has left less time.
LAST_S, LAST_IN_A_HURRY_S = 10.0, 3.0


@dataclass(slots=True)
class Alerting:
    """A watcher that tells webhooks of a run; `watcher` hears of alerts that nobody got."""

    job: JobSpec
    delivery: Delivery
    watcher: Watcher
    stopping: Hearing
    currency: str | None
    simulated: bool
    name: str
    clocks: Clocks = REAL_CLOCKS
    _rules: Rules = field(default_factory=lambda: Rules(inf))
    _tally: Tally = field(default_factory=Tally)
    _flow: Callable[[], Flow] = field(default=lambda: Flow(0, 0))
    _since: float = 0.0

    @classmethod
    def of(
        cls,
        job: JobSpec,
        pricing: Pricing,
        watcher: Watcher,
        stopping: Stopping,
        variables: Mapping[str, str],
        *,
        simulated: bool,
        clocks: Clocks = REAL_CLOCKS,
    ) -> Alerting:
        """Find the addresses of a job's webhooks.

        Raises:
            ConfigurationError: one is missing or wrong, or an alert could never come.
        """
        check_costs(job, pricing)
        webhooks = list(webhooks_of(job.alerts, variables))
        delivery = Delivery(webhooks, sender(job), job.observe.lang, clocks)
        currency = currency_of(job, pricing)
        return cls(
            job, delivery, watcher, Hearing(stopping), currency, simulated, run_name(job), clocks
        )

    def telling(self, run: Callable[[], RunResult]) -> RunResult:
        """Run, and tell how it ended; wait a little until that is delivered.

        Raises:
            BaseException: what the run raises.
        """
        try:
            result = run()
        except BaseException as error:
            self._tell(Event.FAILURE, self._figures(), why=why_raised(error))
            within = self._patience(LAST_S if isinstance(error, Exception) else LAST_IN_A_HURRY_S)
            with contextlib.suppress(KeyboardInterrupt):
                self.delivery.close(within, go_on)
            self._report_failures()
            raise
        self._tell_end(result)
        within = LAST_S if result.hurry is None else min(LAST_S, result.hurry)
        try:
            with self.stopping.interruptible() as check:
                self.delivery.close(within, check)
        except Interruption as late:
            result = replace(result, interrupted=result.interrupted or late.number)
        self._report_failures()
        return result

    def _patience(self, most: float) -> float:
        """Return how many seconds there are for the last alert, at most so many."""
        first = self.stopping.first_at
        if first is None:
            return most
        if self.stopping.twice:
            return AT_ONCE_S
        return min(most, max(AT_ONCE_S, EXIT_S - (self.clocks.monotonic() - first)))

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        """See `Watcher.started`."""
        alerts, earlier = self.job.alerts, tally.earlier
        share = alerts.error_rate_over
        self._tally, self._flow = tally, flow
        self._since = self.clocks.monotonic()
        self._rules = Rules(
            seconds_of(alerts.outage_after),
            None if share is None else Fraction(share[:-1]) / 100,
            [money_of(text).nanos for text in alerts.costs],
            earlier.most_cost,
        )

    def attempted(self, row: int, exchange: Exchange) -> None:
        """Nothing: the tally counts it."""

    def pulse(self) -> None:
        """Tell what is to be told by now."""
        self._look()
        self._report_failures()

    def _look(self) -> None:
        tally, earlier = self._tally, self._tally.earlier
        cost = earlier.most_cost + tally.cost + tally.possible_cost
        waiting = self._flow().waiting is not None
        seen = Seen(waiting, tally.rows, tally.failures, cost)
        for sighting in self._rules.look(self.clocks.monotonic(), seen):
            figures = self._figures()
            if sighting.event.is_of_outage:
                figures = figures.without_speed()
            over = self._over(sighting)
            self._tell(sighting.event, figures, lasted=sighting.lasted, over=over)

    def notice(self, text: str) -> None:
        """Nothing: a notice may quote the provider."""

    def finished(self) -> None:
        """Tell what has come since the last pulse; how the run ended is known later."""
        self._look()

    def _over(self, sighting: Sighting) -> Money | str | None:
        if sighting.cost is not None and self.currency is not None:
            return Money(sighting.cost, self.currency)
        return self.job.alerts.error_rate_over if sighting.event is Event.ERROR_RATE else None

    def _tell_end(self, result: RunResult) -> None:
        """Tell how a run ended, unless there was nothing to do in it and all is well."""
        summary = result.summary
        counts, tally = summary.counts, summary.tally
        why = why_ended(result, self.job)
        if why is None and not tally.rows:
            return
        figures = Figures(
            done=counts.rows,
            total=None if summary.pending is None else counts.rows + summary.pending,
            results=counts.results,
            errors=counts.errors,
            cost=counts.cost,
            possible_cost=counts.possible_cost,
            currency=counts.currency,
            rows_per_s=tally.rows / summary.wall_s if summary.wall_s else None,
        )
        self._tell(Event.FINISH if why is None else Event.FAILURE, figures, why=why)

    def _figures(self) -> Figures:
        """Return how far the run is while calls are made."""
        tally, earlier = self._tally, self._tally.earlier
        done, errors = tally.done_before + tally.rows, tally.classes.copy()
        # Else errors of earlier processes are called again, or only some rows are chosen.
        if tally.done_before >= earlier.rows:
            errors.update(earlier.errors)
        seconds = self.clocks.monotonic() - self._since
        rate = tally.rows / seconds if tally.rows and seconds > 0 else None
        return Figures(
            done=done,
            total=tally.goal,
            results=done - errors.total(),
            errors=errors,
            cost=earlier.cost + tally.cost,
            possible_cost=earlier.possible_cost + tally.possible_cost,
            currency=self.currency,
            rows_per_s=rate,
            left_s=None if rate is None or tally.left is None else tally.left / rate,
        )

    def _tell(
        self,
        event: Event,
        figures: Figures,
        *,
        why: Why | None = None,
        lasted: float | None = None,
        over: Money | str | None = None,
    ) -> None:
        run, host, now = self.name, socket.gethostname(), self.clocks.now()
        self.delivery.tell(
            Alert(event, run, host, now, figures, why, lasted, over, simulated=self.simulated)
        )

    def _report_failures(self) -> None:
        """Show, and write into the run's log, what nobody got; by the host alone."""
        failures = self.delivery.failures()
        for host, event, said in failures:
            # A closed terminal, or a full disk, is no reason to end a run.
            with contextlib.suppress(OSError):
                self.watcher.notice(f"The alert `{event}` did not reach {host}: {said}")
        if failures:
            with contextlib.suppress(OSError, OutputError):
                self._log(failures)

    def _log(self, failures: Sequence[Undelivered]) -> None:
        directory = directory_of(self.job)
        if directory is None or not directory.checkpoint.exists():
            return
        with directory.open_log() as stream:
            log = EventLog(stream)
            for host, event, said in failures:
                log.write("alert_failed", host=host, alert=event.value, said=said)


class Sender(Protocol):
    """Makes what posts to a webhook."""

    def __call__(self, webhook: Webhook) -> Poster: ...  # noqa: D102 -- see the class


def sender(job: JobSpec) -> Sender:
    """Return what makes, for a webhook, what posts to it.

    Proxies and certificates are those of the environment only where the job trusts it.
    """
    environment = os.environ if job.provider.trust_env else {}

    def made(webhook: Webhook) -> Poster:
        return Poster(webhook.address, Network(*network_of(webhook.address, environment)))

    return made


def run_name(job: JobSpec) -> str:
    """Return what a run is called: as its directory, if that is known."""
    directory = directory_of(job)
    return "a run" if directory is None else directory.path.resolve().name
