"""The naive loop: good enough where all is well, and bad where it is not."""

from __future__ import annotations

from tests.overload import virtual
from tests.overload.gates import UNAVAILABLE, Concurrency, During
from tests.overload.ledger import steps
from tests.overload.naive import WORKERS, run_naively
from tests.overload.rows import requests
from tests.overload.servers import Endpoint, Gate, answers
from tests.overload.service import Service

ROWS = 2000


def _dead(*gates: Gate) -> tuple[set[int], Endpoint]:
    endpoint = Endpoint(Service(), answers(1), gates)
    return virtual.run(run_naively(endpoint, requests(ROWS), virtual.seeded(1).uniform)), endpoint


def test_it_answers_every_row_of_a_good_service() -> None:
    dead, endpoint = _dead()
    assert dead == set()
    assert endpoint.ledger.answered() == set(range(ROWS))
    assert WORKERS * 0.9 < endpoint.ledger.in_flight(5, 30) <= WORKERS


def test_it_gives_up_most_rows_in_an_outage() -> None:
    dead, endpoint = _dead(During(10, 7200, UNAVAILABLE))
    assert len(dead) > ROWS / 2
    assert endpoint.ledger.calls() > 2 * ROWS


def test_it_keeps_hitting_a_limit() -> None:
    dead, _ = _dead(Concurrency(steps(40)))
    assert len(dead) > ROWS / 10
