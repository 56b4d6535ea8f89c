"""Refusals that last: a run goes on as far as it can, says so, and does not hammer."""

from __future__ import annotations

import pytest

from tests.overload import virtual
from tests.overload.gates import THROTTLED, Concurrency, During, Randomly
from tests.overload.ledger import steps
from tests.overload.scenario import drive
from tests.overload.servers import Endpoint, Gate, answers
from tests.overload.service import Service

HOUR = 3600.0


@pytest.mark.parametrize("seed", [1, 2])
def test_nine_refusals_of_ten_calls_are_got_through_without_hammering(seed: int) -> None:
    """Ten calls a row is what it takes; seldom more than one in three seconds."""
    refusing = Randomly(0.9, THROTTLED, virtual.seeded(seed))
    endpoint = Endpoint(Service(), answers(seed), [refusing])
    ended = drive(endpoint, 100, seed=seed)
    assert endpoint.ledger.answered() == set(range(100))
    assert ended.dead == set()
    assert endpoint.ledger.calls() <= 12 * 100
    assert endpoint.ledger.calls(60, 60 + HOUR) <= HOUR / 3
    assert endpoint.ledger.completed(60, 60 + HOUR / 2)


@pytest.mark.parametrize("seed", [1, 2])
def test_an_hour_of_nothing_but_refusals_is_waited_out(seed: int) -> None:
    gates: list[Gate] = [During(30, 30 + HOUR, THROTTLED), Concurrency(steps(40))]
    endpoint = Endpoint(Service(), answers(seed), gates)
    ended = drive(endpoint, 1500, seed=seed)
    assert endpoint.ledger.answered() == set(range(1500))
    assert ended.dead == set()
    assert endpoint.ledger.calls(30, 30 + HOUR) <= 200
    assert endpoint.ledger.in_flight(30 + HOUR + 144, ended.begun_s) >= 0.9 * 40
    down, back = ended.notices
    assert "down" in down
    assert "back" in back
