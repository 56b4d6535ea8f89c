"""What every limit is told and asked, and the user's own number."""

from __future__ import annotations

import pytest

from batcher.engine.policy.limit import FixedLimit, Grant, Limit


@pytest.mark.parametrize(
    ("in_flight", "limit", "saturated"),
    [(1, 1, True), (1, 2, False), (8, 10, False), (9, 10, True), (10, 10, True), (12, 10, True)],
)
def test_a_call_is_saturated_from_nine_tenths_of_the_limit_on(
    *, in_flight: int, limit: int, saturated: bool
) -> None:
    assert Grant(1, in_flight, limit).saturated is saturated


def test_a_fixed_limit_stays_whatever_happens() -> None:
    limit: Limit = FixedLimit(7)
    grant = limit.grant(5)
    assert (grant.in_flight, grant.limit) == (5, 7)
    for _ in range(100):
        limit.refused(grant)
        limit.lost(grant)
        limit.completed(grant, 1.0, 100)
        limit.restart()
    assert (limit.limit, limit.interval) == (7, 0.0)
