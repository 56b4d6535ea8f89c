"""Alerts to try things with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batcher.errors import ErrorClass
from batcher.money import NANOS, Money
from batcher.observe.alerts import Alert, Cause, Event, Figures, Why

NOON = 1_700_049_600.0  # 2023-11-15 12:00:00 UTC

FIGURES = Figures(
    done=150,
    total=200,
    results=140,
    errors={ErrorClass.CONTENT_FILTERED: 7, ErrorClass.SERVER_ERROR: 2, ErrorClass.BAD_REQUEST: 1},
    cost=2 * NANOS,
    possible_cost=NANOS // 2,
    currency="CNY",
    rows_per_s=12.5,
    left_s=4.0,
)


def alert_of(event: Event) -> Alert:
    """Return an alert of each kind, with all that it may have."""
    plain = Alert(event, "reviews.batch", "gpu-7", NOON, FIGURES)
    match event:
        case Event.FAILURE:
            return replace(plain, why=Why(Cause.PROVIDER, ErrorClass.BALANCE.value, 77))
        case Event.OUTAGE | Event.RECOVERED:
            return replace(plain, figures=FIGURES.without_speed(), lasted=720.0)
        case Event.ERROR_RATE:
            return replace(plain, over="5%")
        case Event.COST:
            return replace(plain, over=Money(2 * NANOS, "CNY"))
        case _:
            return plain


@pytest.fixture(params=list(Event), ids=str)
def alert(request: pytest.FixtureRequest) -> Alert:
    """Return one alert after the other."""
    event: Event = request.param
    return alert_of(event)
