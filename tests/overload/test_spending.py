"""Ceilings in the thick of it: retries, losses and failures, and not a single call beyond."""

from __future__ import annotations

import pytest

from batcher.engine.policy.spending import Ceiling, Spending
from batcher.records import Usage
from tests.engines import PRICING, Notebook
from tests.overload import virtual
from tests.overload.gates import BROKEN, Concurrency, Randomly
from tests.overload.ledger import steps
from tests.overload.scenario import drive
from tests.overload.servers import MODEL, Endpoint, Gate, answers
from tests.overload.service import Service

ROWS, LIMIT = 800, 40
LONGEST = 4096
# Answers that take longer are lost, and may be billed nevertheless.
DEADLINE_S = 12.0
HALF_OF_ALL = 0.5


def _costs(endpoint: Endpoint) -> list[int]:
    """Return what the provider bills for each answer, in nanos."""
    usages = (Usage(of.prompt_tokens, of.completion_tokens) for of in endpoint.answers)
    costs = [PRICING.cost(MODEL, usage) for usage in usages]
    return [cost for cost in costs if cost is not None]


def _billed(endpoint: Endpoint, bills: list[int]) -> int:
    """Return what the provider bills at most: every call that it admitted, answered or not."""
    admitted = (entry for entry in endpoint.ledger.entries if entry.arrived is not None)
    return sum(bills[entry.row] for entry in admitted)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("money", [True, False])
def test_no_call_goes_beyond_a_ceiling(seed: int, *, money: bool) -> None:
    gates: list[Gate] = [Randomly(0.1, BROKEN, virtual.seeded(seed)), Concurrency(steps(LIMIT))]
    endpoint = Endpoint(Service(), answers(seed), gates, total_s=DEADLINE_S)
    bills = _costs(endpoint) if money else [answer.tokens for answer in endpoint.answers]
    most = round(HALF_OF_ALL * sum(bills[:ROWS]))
    ceiling = Ceiling(most, 0, "reached", Notebook())
    spending = Spending(cost=ceiling) if money else Spending(tokens=ceiling)
    ended = drive(endpoint, ROWS, seed=seed, spending=spending, parameters={"max_tokens": LONGEST})
    assert ended.halt is not None
    assert ended.halt.reason == "reached"
    assert ended.halt.exit_code == 75
    billed = _billed(endpoint, bills)
    assert billed <= ceiling.spent <= most
    # Only the worst case of a call, and those of the lost ones, are left of it.
    assert ceiling.spent > 0.9 * most
    assert len(ended.outcomes) < ROWS
