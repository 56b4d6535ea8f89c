"""Rows that always fail: given up after their attempts, and nobody else suffers."""

from __future__ import annotations

import pytest

from batcher.records import Failure
from tests.overload.gates import BLACK_HOLE, BROKEN, Concurrency, Poison
from tests.overload.ledger import steps
from tests.overload.scenario import Ended, drive
from tests.overload.servers import Endpoint, Gate, Refusal, answers
from tests.overload.service import Service

ROWS = 800
EVERY_FIFTIETH = frozenset(range(0, ROWS, 50))
LAST = frozenset(range(ROWS - 10, ROWS))
MAX_ATTEMPTS, MAX_AMBIGUOUS = 8, 3


def _run(poison: frozenset[int], refusal: Refusal, seed: int = 1) -> tuple[Ended, Endpoint]:
    gates: list[Gate] = [Poison(poison, refusal), Concurrency(steps(40))]
    endpoint = Endpoint(Service(), answers(seed), gates)
    return drive(endpoint, ROWS, seed=seed), endpoint


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("poison", [EVERY_FIFTIETH, LAST])
def test_poison_rows_are_given_up_and_all_others_answered(
    poison: frozenset[int], seed: int
) -> None:
    """Also where nothing but they is left in the end, which could be an outage."""
    ended, endpoint = _run(poison, BROKEN, seed)
    assert ended.dead == poison
    assert endpoint.ledger.answered() == set(range(ROWS)) - poison
    for row in poison:
        outcome = ended.outcomes[row]
        assert isinstance(outcome, Failure)
        assert outcome.problem.http_status == 500
        # A failure while others failed too is the endpoint's: it may have one more.
        assert MAX_ATTEMPTS <= len(outcome.attempts) <= MAX_ATTEMPTS + 2
    assert ended.halt is None


def test_others_are_as_fast_as_without_poison() -> None:
    _, clean = _run(frozenset(), BROKEN)
    _, poisoned = _run(EVERY_FIFTIETH, BROKEN)
    last = [max(e.ended for e in each.ledger.completed()) for each in (clean, poisoned)]
    assert last[1] <= 1.1 * last[0]


def test_rows_that_are_never_answered_are_not_sent_for_ever() -> None:
    """When only they are left it may as well be an outage: they stay pending, and that is said."""
    ended, endpoint = _run(EVERY_FIFTIETH, BLACK_HOLE)
    assert endpoint.ledger.answered() == set(range(ROWS)) - EVERY_FIFTIETH
    assert max(map(endpoint.ledger.attempts, EVERY_FIFTIETH)) <= MAX_AMBIGUOUS
    pending = EVERY_FIFTIETH - ended.outcomes.keys()
    assert pending | ended.dead == EVERY_FIFTIETH
    assert (ended.halt is not None) == bool(pending)
