"""Row 34 of the fault matrix: hours of outage, in the virtual time of tests/overload."""

from __future__ import annotations

import pytest

from batcher.engine.policy.breaker import LONGEST_PROBE_S, SPREAD
from tests.overload.gates import BLACK_HOLE, UNAVAILABLE, Concurrency, During
from tests.overload.ledger import steps
from tests.overload.scenario import drive
from tests.overload.servers import Endpoint, Gate, Refusal, answers
from tests.overload.service import Service

BEGINS, ENDS = 30.0, 30.0 + 2 * 3600.0
LIMIT, ROWS = 40, 2000
DEADLINE_S = 300.0


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("refusal", "probe_s"),
    [
        pytest.param(UNAVAILABLE, 0.0, id="503"),
        pytest.param(BLACK_HOLE, DEADLINE_S, id="black hole"),
    ],
)
def test_34_an_outage_of_two_hours_costs_no_row_and_few_calls(
    refusal: Refusal, probe_s: float, seed: int
) -> None:
    """Recovery takes at most two intervals of probes; in a black hole each lasts its deadline."""
    gates: list[Gate] = [During(BEGINS, ENDS, refusal), Concurrency(steps(LIMIT))]
    endpoint = Endpoint(Service(), answers(seed), gates, total_s=DEADLINE_S)
    ended = drive(endpoint, ROWS, seed=seed)
    ledger = endpoint.ledger
    assert ended.dead == set()
    assert ledger.answered() == set(range(ROWS))
    assert ledger.calls(BEGINS, ENDS) <= 300
    back = ENDS + 2 * (LONGEST_PROBE_S * (1 + SPREAD) + probe_s)
    assert len(ledger.completed(ENDS, back)) > LIMIT
    down, up = ended.notices
    assert "The endpoint is down" in down
    assert "The endpoint is back" in up
