"""Servers that never refuse and let calls wait instead: no more is in flight than is of use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.overload.ledger import Steps, steps
from tests.overload.scenario import drive
from tests.overload.servers import Endpoint, answers
from tests.overload.service import Service, batching


def _slots(knee: Steps) -> Service:
    return Service(slots=knee)


def _batches(knee: Steps) -> Service:
    return Service(batching(knee))


def _settled(
    endpoint: Endpoint, knee: int, since: float, until: float, share: float = 0.95
) -> None:
    """Assert what a user who knew the knee would have: all of its tokens, and hardly any queue."""
    ledger = endpoint.ledger
    tokens = sum(answer.tokens for answer in endpoint.answers)
    peak = knee * tokens / sum(answer.seconds for answer in endpoint.answers)
    assert ledger.tokens_a_second(since, until) >= share * peak, (knee, since)
    assert ledger.in_flight(since, until) <= 1.5 * knee, (knee, since)
    assert ledger.slowdown(since, until) <= 2, (knee, since)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("service", [_slots, _batches])
def test_it_settles_near_the_knee(service: Callable[[Steps], Service], seed: int) -> None:
    endpoint = Endpoint(service(steps(40)), answers(seed))
    ended = drive(endpoint, 2500, seed=seed)
    assert ended.dead == set()
    _settled(endpoint, 40, 60, ended.begun_s)


@pytest.mark.parametrize("service", [_slots, _batches])
def test_it_follows_a_knee_that_is_halved_and_doubled(service: Callable[[Steps], Service]) -> None:
    """Within two minutes: refusals tell of a change at once, a queue only makes answers late.

    The search goes on then, and costs a little.
    """
    endpoint = Endpoint(service(steps(40, (120, 20), (360, 40))), answers(1))
    ended = drive(endpoint, 6500)
    assert ended.dead == set()
    _settled(endpoint, 40, 60, 120)
    _settled(endpoint, 20, 240, 360, share=0.92)
    _settled(endpoint, 40, 480, ended.begun_s, share=0.92)
