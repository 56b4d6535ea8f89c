"""The metrics of OpenTelemetry: the conventions' two histograms, and all that Prometheus gets.

docs/gen-ai/gen-ai-metrics.md of the conventions has names and buckets of the
first two. `batcher_rows` of `families` is `batcher.rows` here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from batcher.limits import Flow
from batcher.observe.metrics.families import FAMILIES, Family, Kind
from batcher.observe.metrics.figures import Figures, Samples, Spread
from batcher.observe.metrics.otel import attributes
from batcher.observe.metrics.texts import encodable
from batcher.observe.tally import Tally
from batcher.records import Exchange

DURATION = "gen_ai.client.operation.duration"
TOKENS = "gen_ai.client.token.usage"
_DURATION_BUCKETS = tuple(0.01 * 2**n for n in range(14))
_TOKEN_BUCKETS = tuple(4**n for n in range(14))


class Instruments:
    """A watcher that records each call, and lets a meter read the figures."""

    def __init__(self, meter: Meter, figures: Figures) -> None:
        """Make the instruments of `meter`."""
        self._figures = figures
        self._samples: Samples = {}
        self._duration = meter.create_histogram(
            DURATION,
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._tokens = meter.create_histogram(
            TOKENS,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )
        for family in FAMILIES:
            if family.kind is Kind.COUNTER:
                meter.create_observable_counter(*self._described(family))
            elif family.kind is not Kind.HISTOGRAM:
                meter.create_observable_gauge(*self._described(family))

    def _described(
        self, family: Family
    ) -> tuple[str, Sequence[Callable[[CallbackOptions], Iterator[Observation]]], str, str]:
        def observe(_: CallbackOptions) -> Iterator[Observation]:
            # The first of them all is asked first; so all tell of the same moment.
            if family is FAMILIES[0]:
                self._samples = self._figures.samples()
            for sample in self._samples.get(family, ()):
                assert not isinstance(sample.value, Spread)  # noqa: S101 -- of histograms only
                labels = dict(zip(family.labels, sample.labels, strict=True))
                yield Observation(sample.value, {"batcher.run": self._figures.facts.run, **labels})

        name = family.name.removesuffix("_total").replace("_", ".", 1)
        return name, (observe,), family.unit, family.text

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        """Nothing: the figures keep both."""

    def attempted(self, row: int, exchange: Exchange) -> None:  # noqa: ARG002 -- no matter which
        """Record a call that has ended."""
        attempt, completion = exchange.attempt, exchange.completion
        found = attributes.call(self._figures.facts, str(exchange.request.body["model"]))
        if completion is not None and completion.model:
            found["gen_ai.response.model"] = encodable(completion.model)
        if attempt.problem is not None:
            failed = {**found, "error.type": attempt.problem.error_class.value}
            self._duration.record(attempt.latency, failed)
        else:
            self._duration.record(attempt.latency, found)
        if completion is not None:
            usage = completion.usage
            for kind, tokens in (
                ("input", usage.prompt_tokens),
                ("output", usage.completion_tokens),
            ):
                if tokens is not None:
                    self._tokens.record(tokens, {**found, "gen_ai.token.type": kind})

    def pulse(self) -> None:
        """Nothing: the meter asks by itself."""

    def notice(self, text: str) -> None:
        """Nothing: sentences are no figures."""

    def finished(self) -> None:
        """Nothing: the meter asks a last time when it is shut down."""
