"""A whole run in virtual time: what it says of itself."""

from __future__ import annotations

from tests.overload.gates import ARREARS, AfterCalls, Poison
from tests.overload.scenario import drive
from tests.overload.servers import Answer, Endpoint
from tests.overload.service import Service

ANSWERS = [Answer(10, 90, 2.0)]


def test_each_row_has_its_outcome_and_the_end_is_known() -> None:
    endpoint = Endpoint(Service(), ANSWERS, [Poison({3})])
    ended = drive(endpoint, 100)
    assert ended.outcomes.keys() == set(range(100))
    assert ended.dead == {3}
    assert ended.halt is None
    assert 0 < ended.begun_s < ended.ended_s
    assert 8 <= ended.peak <= 100


def test_a_run_that_stops_leaves_rows_without_outcome() -> None:
    endpoint = Endpoint(Service(), ANSWERS, [AfterCalls({"key": 20}, ARREARS)])
    ended = drive(endpoint, 100)
    assert len(ended.outcomes) == 20
    assert ended.halt is not None


def test_the_same_seed_makes_the_same_run() -> None:
    runs = []
    for seed in (1, 1, 2):
        endpoint = Endpoint(Service(), ANSWERS, [Poison({3})])
        drive(endpoint, 50, seed=seed)
        runs.append([entry.sent for entry in endpoint.ledger.entries])
    assert runs[0] == runs[1] != runs[2]
