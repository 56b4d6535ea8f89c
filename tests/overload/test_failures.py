"""Endpoints that fail for a while, at times, or for good: no row is blamed for it."""

from __future__ import annotations

import pytest

from tests.overload import virtual
from tests.overload.gates import BROKEN, UNAVAILABLE, UNREACHABLE, Concurrency, During, Randomly
from tests.overload.ledger import FOREVER, steps
from tests.overload.scenario import drive
from tests.overload.servers import Endpoint, Gate, Refusal, answers
from tests.overload.service import Service

HOUR = 3600.0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_third_of_all_calls_may_fail_at_random(seed: int) -> None:
    """A row dies when its 8 calls all fail: with 30 %, that is one row of 15,000."""
    gates: list[Gate] = [Randomly(0.3, BROKEN, virtual.seeded(seed)), Concurrency(steps(64))]
    endpoint = Endpoint(Service(), answers(seed), gates)
    ended = drive(endpoint, 2500, seed=seed)
    assert len(ended.outcomes) == 2500
    assert len(ended.dead) <= 1
    for row in ended.dead:
        assert endpoint.ledger.attempts(row) >= 8
    assert endpoint.ledger.calls() <= 2500 / 0.7 * 1.05


@pytest.mark.parametrize("refusal", [UNAVAILABLE, UNREACHABLE])
def test_an_endpoint_that_is_down_from_the_first_call_on_is_waited_for(refusal: Refusal) -> None:
    gates: list[Gate] = [During(0, 2 * HOUR, refusal), Concurrency(steps(40))]
    endpoint = Endpoint(Service(), answers(1), gates)
    ended = drive(endpoint, 500)
    assert ended.dead == set()
    assert endpoint.ledger.answered() == set(range(500))
    assert endpoint.ledger.calls(0, 2 * HOUR) <= 300


def test_several_outages_one_after_the_other_are_waited_out() -> None:
    outages = [During(since, since + 240, UNAVAILABLE) for since in (30, 400, 750)]
    endpoint = Endpoint(Service(), answers(1), [*outages, Concurrency(steps(20))])
    ended = drive(endpoint, 1500)
    assert ended.dead == set()
    assert endpoint.ledger.answered() == set(range(1500))
    assert len(ended.notices) == 6


def test_an_outage_without_end_leaves_the_rows_pending_and_says_so() -> None:
    gates: list[Gate] = [During(30, FOREVER, UNAVAILABLE), Concurrency(steps(20))]
    endpoint = Endpoint(Service(), answers(1), gates)
    ended = drive(endpoint, 1000)
    assert ended.halt is not None
    assert ended.halt.exit_code == 75
    assert "down for 6 h" in ended.halt.reason
    assert ended.dead == set()
    assert 6 * HOUR <= ended.ended_s - 30 <= 6.1 * HOUR
    assert endpoint.ledger.calls(30) <= 500
