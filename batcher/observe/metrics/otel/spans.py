"""A span for each call, and one for the run; made after the fact, with the call's own moments.

A trace of a million spans is of no use. So each call is a trace of its own, with a link to the
run's span, and a sampler (OTEL_TRACES_SAMPLER) takes or leaves single calls.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer

from batcher.history import Ended
from batcher.limits import Flow
from batcher.money import NANOS
from batcher.observe.metrics.figures import FAILED, Figures
from batcher.observe.metrics.otel import attributes
from batcher.observe.metrics.otel.messages import answered_messages, asked_messages
from batcher.observe.metrics.texts import encodable
from batcher.observe.tally import Tally
from batcher.records import Exchange

NAME = "batcher run"
# No span of the program around is the parent of a call's.
_ROOT = Context()

Shorten = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Returns a request's body without the bytes of its images."""


@dataclass(slots=True)
class Spans:
    """A watcher that makes a span of each call. With `shorten`, they hold prompts and answers."""

    tracer: Tracer
    figures: Figures
    shorten: Shorten | None = None
    _run: Span | None = None
    _links: list[Link] = field(default_factory=list)
    _currency: str | None = None

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:  # noqa: ARG002 -- figures do
        """Begin the run's span."""
        facts = self.figures.facts
        self._currency = tally.earlier.currency
        self._run = self.tracer.start_span(
            NAME,
            attributes={
                "batcher.run": facts.run,
                "batcher.version": facts.version,
                "batcher.simulated": facts.simulated,
                "batcher.done_before": tally.done_before,
                "gen_ai.provider.name": facts.provider,
                **({"gen_ai.request.model": facts.model} if facts.model else {}),
            },
        )
        self._links = [Link(self._run.get_span_context())]

    def attempted(self, row: int, exchange: Exchange) -> None:
        """Make the span of a call that has ended."""
        attempt, body = exchange.attempt, exchange.request.body
        facts, model = self.figures.facts, str(body["model"])
        start = round(attempt.started_at * NANOS)
        span = self.tracer.start_span(
            f"chat {encodable(model)}",
            context=_ROOT,
            kind=SpanKind.CLIENT,
            attributes=attributes.call(facts, model),
            links=self._links,
            start_time=start,
        )
        if span.is_recording():
            span.set_attributes(attributes.asked(body, streamed=facts.streamed))
            span.set_attributes(attributes.ended(row, exchange, self._currency))
            if exchange.completion is not None:
                span.set_attributes(attributes.answered(exchange.completion))
            if self.shorten is not None:
                self._add_content(span, exchange, self.shorten)
            if attempt.problem is not None:
                # Its message may quote the prompt.
                said = encodable(attempt.problem.message) if self.shorten else None
                span.set_status(Status(StatusCode.ERROR, said))
        span.end(start + round(attempt.latency * NANOS))

    def _add_content(self, span: Span, exchange: Exchange, shorten: Shorten) -> None:
        # What is nested too deeply to be written is left out.
        with contextlib.suppress(RecursionError):
            asked = asked_messages(shorten(exchange.request.body))
            span.set_attribute("gen_ai.input.messages", asked)
            if exchange.completion is not None:
                span.set_attribute("gen_ai.output.messages", answered_messages(exchange.completion))

    def pulse(self) -> None:
        """Nothing: spans end by themselves."""

    def notice(self, text: str) -> None:
        """Nothing: it is written elsewhere, and may name what no span should."""

    def finished(self) -> None:
        """Nothing: how the calls ended is not known yet."""

    def end(self) -> None:
        """End the run's span, with the sums of this process."""
        if self._run is None:
            return
        tally, how = self.figures.tally, self.figures.ended
        self._run.set_attributes(
            {
                "batcher.results": tally.results,
                "batcher.errors": tally.failures,
                "batcher.attempts": tally.attempts,
                "batcher.retries": tally.retries,
                "batcher.repairs": self.figures.repairs,
                "batcher.ended": how or FAILED,
                **{f"batcher.tokens.{kind}": n for kind, n in self.figures.tokens.items()},
            }
        )
        if self._currency is not None:
            self._run.set_attributes(
                {"batcher.cost": tally.cost / NANOS, "batcher.currency": self._currency}
            )
        if how not in (Ended.DONE, Ended.PENDING):
            self._run.set_status(Status(StatusCode.ERROR, how))
        self._run.end()
