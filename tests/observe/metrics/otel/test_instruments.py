"""The metrics of OpenTelemetry, as its SDK reads them."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from batcher.errors import ErrorClass
from batcher.history import Ended
from batcher.observe import Tally
from batcher.observe.metrics import Figures
from batcher.observe.metrics.families import FAMILIES, Kind
from batcher.observe.metrics.otel.instruments import DURATION, TOKENS, Instruments
from batcher.recorded import Counts
from batcher.records import Usage
from tests.observe.metrics.samples import FACTS, exchange, flowing
from tests.observe.metrics.test_figures import COUNTS


class Metered:
    """A run whose metrics are read by the test."""

    def __init__(self) -> None:
        self.asked = 0
        self.reader = InMemoryMetricReader()
        provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.figures = Figures(FACTS, self._counts)
        self.instruments = Instruments(provider.get_meter("test"), self.figures)
        self.figures.started(Tally(total=20, results=1), flowing)
        self.figures.pulse()

    def _counts(self) -> Counts:
        self.asked += 1
        return COUNTS

    def read(self) -> dict[str, Any]:
        data = self.reader.get_metrics_data()
        assert data is not None
        (of_resource,) = data.resource_metrics
        (of_scope,) = of_resource.scope_metrics
        return {metric.name: metric for metric in of_scope.metrics}


def test_every_family_of_prometheus_is_there_of_the_same_kind_but_the_histogram() -> None:
    metered = Metered()
    metered.figures.end(Ended.DONE)
    found = metered.read()
    for family in FAMILIES:
        name = family.name.removesuffix("_total").replace("_", ".", 1)
        if family.kind is Kind.HISTOGRAM:
            assert name not in found
            continue
        metric = found.pop(name)
        assert (metric.unit, metric.description) == (family.unit, family.text)
        assert hasattr(metric.data, "is_monotonic") == (family.kind is Kind.COUNTER)
        for point in metric.data.data_points:
            assert set(point.attributes) == {"batcher.run", *family.labels}
    assert found == {}


def test_all_values_are_of_one_moment_and_the_checkpoint_is_read_once_for_them() -> None:
    metered = Metered()
    metered.read()
    assert metered.asked == 1
    metered.read()
    assert metered.asked == 2


@pytest.mark.parametrize("error_class", [None, ErrorClass.THROTTLED])
def test_a_call_is_a_duration_by_model_and_error(error_class: ErrorClass | None) -> None:
    metered = Metered()
    metered.instruments.attempted(7, exchange(error_class, latency=0.5))
    (point,) = metered.read()[DURATION].data.data_points
    assert (point.count, point.sum) == (1, 0.5)
    assert point.attributes.get("error.type") == (error_class and error_class.value)
    assert point.attributes["gen_ai.request.model"] == "glm-4.7"
    assert point.explicit_bounds[:2] + point.explicit_bounds[-1:] == (0.01, 0.02, 81.92)


def test_an_answer_is_counted_in_tokens_of_both_kinds_as_far_as_it_told_them() -> None:
    metered = Metered()
    metered.instruments.attempted(7, exchange())
    metered.instruments.attempted(7, exchange(usage=Usage(50, None)))
    points = metered.read()[TOKENS].data.data_points
    found = {point.attributes["gen_ai.token.type"]: (point.count, point.sum) for point in points}
    assert found == {"input": (2, 150), "output": (1, 20)}
    assert points[0].attributes["gen_ai.response.model"] == "glm-4.7-0915"
    assert points[0].explicit_bounds[-1] == 67_108_864
