"""Limits on concurrency that nobody tells of: found, used and followed, at hardly any refusals."""

from __future__ import annotations

import pytest

from batcher.errors import ErrorClass
from tests.overload.gates import Concurrency
from tests.overload.ledger import FOREVER, Ledger, Steps, steps
from tests.overload.scenario import Ended, drive
from tests.overload.servers import Endpoint, answers
from tests.overload.service import Service

THROTTLED = ErrorClass.THROTTLED


def _run(limit: Steps, count: int, seed: int) -> tuple[Ended, Ledger]:
    endpoint = Endpoint(Service(), answers(seed), [Concurrency(limit)])
    ended = drive(endpoint, count, seed=seed)
    assert endpoint.ledger.answered() == set(range(count))
    assert ended.dead == set()
    return ended, endpoint.ledger


def _use(ledger: Ledger, limit: int, since: float, until: float) -> float:
    return ledger.in_flight(since, until) / limit


@pytest.mark.parametrize(
    ("limit", "count", "ramp_s", "seed"),
    [
        (1, 450, 30, 1),
        (1, 450, 30, 2),
        (5, 500, 60, 1),
        (5, 500, 60, 2),
        (40, 2000, 60, 1),
        (40, 2000, 60, 2),
        (1000, 11_000, 70, 1),
    ],
)
def test_a_hidden_limit_is_used_and_seldom_run_into(
    limit: int, count: int, ramp_s: float, seed: int
) -> None:
    ended, ledger = _run(steps(limit), count, seed)
    assert _use(ledger, limit, ramp_s, ended.begun_s) >= 0.95
    assert ledger.share(THROTTLED, ramp_s, ended.begun_s) <= (0.01 if limit > 20 else 0.1)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_limit_that_is_halved_and_doubled_in_mid_run_is_followed(seed: int) -> None:
    """From a minute after each change on it is used as one that never changed."""
    ended, ledger = _run(steps(40, (100, 20), (200, 40)), 3600, seed)
    for limit, since, until in (
        (40, 60, 100),
        (20, 160, 200),
        (40, 260, ended.begun_s),
    ):
        assert _use(ledger, limit, since, until) >= 0.95, (limit, since)
    assert ledger.share(THROTTLED, 60, FOREVER) <= 0.01


def test_a_refusal_at_one_call_at_a_time_does_not_pin_the_limit() -> None:
    """What was met at 1 is looked at again: the limit that is there later is used."""
    ended, ledger = _run(steps(1, (60, 40)), 2000, seed=1)
    assert _use(ledger, 40, 140, ended.begun_s) >= 0.95
