"""Spans as the SDK keeps them: of calls that went well or not, with and without their texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from batcher.errors import ErrorClass
from batcher.history import Ended
from batcher.observe import Tally
from batcher.observe.metrics import Figures
from batcher.observe.metrics.otel.spans import Shorten, Spans
from tests.observe.metrics.samples import FACTS, QUOTED, exchange, flowing
from tests.observe.metrics.test_figures import COUNTS


class Traced:
    """A run whose spans are kept in memory."""

    def __init__(self, shorten: Shorten | None = None) -> None:
        self.kept = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.kept))
        self.figures = Figures(FACTS, lambda: COUNTS)
        self.spans = Spans(self.provider.get_tracer("test"), self.figures, shorten)

    def start(self) -> None:
        tally = Tally(earlier=COUNTS, results=4, cost=2_000_000_000)
        self.figures.started(tally, flowing)
        self.spans.started(tally, flowing)

    @property
    def last(self) -> ReadableSpan:
        return self.kept.get_finished_spans()[-1]


def test_a_call_has_its_own_moments_and_kind() -> None:
    traced = Traced()
    traced.start()
    traced.spans.attempted(7, exchange(latency=0.25))
    span = traced.last
    assert (span.name, span.kind) == ("chat glm-4.7", SpanKind.CLIENT)
    assert span.start_time == 1_700_000_000_500_000_000
    assert span.end_time == 1_700_000_000_750_000_000
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {})["batcher.cost"] == 0.001


def test_a_span_of_the_program_around_is_the_parent_of_the_run_only() -> None:
    """As where `batcher.run` is called within one."""
    traced = Traced()
    with traced.provider.get_tracer("theirs").start_as_current_span("theirs") as theirs:
        traced.start()
        traced.spans.attempted(7, exchange())
        traced.figures.end(Ended.DONE)
        traced.spans.end()
    call, run, _ = traced.kept.get_finished_spans()
    assert call.parent is None
    assert run.parent == theirs.get_span_context()
    assert [link.context for link in call.links] == [run.get_span_context()]


def test_an_error_is_a_status_without_the_providers_words_unless_they_are_wanted() -> None:
    for shorten, said in ((None, None), (dict, QUOTED)):
        traced = Traced(shorten)
        traced.start()
        traced.spans.attempted(7, exchange(ErrorClass.BAD_REQUEST))
        assert traced.last.status.status_code is StatusCode.ERROR
        assert traced.last.status.description == said


def test_texts_are_there_only_where_they_are_wanted_and_then_shortened() -> None:
    def shorten(body: Mapping[str, object]) -> Mapping[str, object]:
        return {**body, "messages": [{"role": "user", "content": "short"}]}

    traced = Traced(shorten)
    traced.start()
    traced.spans.attempted(7, exchange())
    found = dict(traced.last.attributes or {})
    assert "short" in str(found["gen_ai.input.messages"])
    assert "Seven." in str(found["gen_ai.output.messages"])
    plain = Traced()
    plain.start()
    plain.spans.attempted(7, exchange())
    assert not any("messages" in name for name in plain.last.attributes or {})


def test_a_message_that_is_nested_too_deeply_is_left_out() -> None:
    deep: object = "?"
    for _ in range(100_000):
        deep = [deep]
    traced = Traced(dict)
    traced.start()
    traced.spans.attempted(7, exchange(messages=[{"role": "tool", "content": deep}]))
    assert "gen_ai.input.messages" not in (traced.last.attributes or {})
    assert "gen_ai.response.model" in (traced.last.attributes or {})


@pytest.mark.parametrize("how", [*Ended, None])
def test_a_run_that_ended_before_its_last_row_is_an_error(how: Ended | None) -> None:
    traced = Traced()
    traced.start()
    traced.figures.end(how)
    traced.spans.end()
    found = dict(traced.last.attributes or {})
    assert found["batcher.ended"] == ("failed" if how is None else how.value)
    assert (found["batcher.results"], found["batcher.cost"]) == (4, 2.0)
    good = how in (Ended.DONE, Ended.PENDING)
    assert traced.last.status.status_code is (StatusCode.UNSET if good else StatusCode.ERROR)


def test_a_run_without_prices_or_model_names_neither() -> None:
    traced = Traced()
    traced.figures.facts = FACTS._replace(model="")
    tally = Tally(earlier=replace(COUNTS, currency=None))
    traced.figures.started(tally, flowing)
    traced.spans.started(tally, flowing)
    traced.spans.end()
    assert {"batcher.cost", "gen_ai.request.model"}.isdisjoint(traced.last.attributes or {})


def test_what_ends_before_it_began_has_no_span() -> None:
    """As where the network could not be opened."""
    traced = Traced()
    traced.figures.end(None)
    traced.spans.end()
    assert traced.kept.get_finished_spans() == ()
