"""Servers that do less the more is asked of them: not driven there, and brought back from there."""

from __future__ import annotations

import pytest

from tests.overload import virtual
from tests.overload.ledger import steps
from tests.overload.naive import run_naively
from tests.overload.rows import requests
from tests.overload.scenario import drive
from tests.overload.servers import Endpoint, answers
from tests.overload.service import Service, collapsing

# Of 40 calls that it serves well a quarter is left after a minute: all at once, these overload it.
FALLING = steps(40, (60, 10))


def _share(endpoint: Endpoint, knee: int, since: float, until: float) -> float:
    """Return which part of what it can do at best the server did."""
    tokens = sum(answer.tokens for answer in endpoint.answers)
    best = knee * tokens / sum(answer.seconds for answer in endpoint.answers)
    return endpoint.ledger.tokens_a_second(since, until) / best


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("total_s", [60, 300])
def test_a_server_that_breaks_down_under_its_load_gets_less_and_recovers(
    seed: int, total_s: float
) -> None:
    """Without losing a row, whether calls run into the deadline or are only very late."""
    endpoint = Endpoint(Service(collapsing(FALLING)), answers(seed), total_s=total_s)
    ended = drive(endpoint, 1400, seed=seed)
    assert ended.dead == set()
    assert _share(endpoint, 10, 60, 120) < 0.7
    assert _share(endpoint, 10, 330, ended.begun_s) > 0.6


def test_the_naive_loop_does_not_get_out_of_that() -> None:
    endpoint = Endpoint(Service(collapsing(FALLING)), answers(1), total_s=60)
    dead = virtual.run(run_naively(endpoint, requests(1400), virtual.seeded(1).uniform))
    assert len(dead) > 100
    assert _share(endpoint, 10, 240, 480) < 0.3


@pytest.mark.parametrize("knee", [2, 4])
def test_a_server_for_fewer_calls_than_a_run_begins_with_loses_no_row(knee: int) -> None:
    endpoint = Endpoint(Service(collapsing(steps(knee))), answers(1), total_s=60)
    ended = drive(endpoint, 50 * knee)
    assert ended.dead == set()
    assert endpoint.ledger.answered() == set(range(50 * knee))
