"""Ceilings for money and tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.policy.spending import NOTHING, Bill, Ceiling, Spending
from tests.engines import Notebook

_AMOUNTS = st.integers(0, 10**12)


def _ceiling(most: int, spent: int = 0) -> tuple[Ceiling, Notebook]:
    notebook = Notebook(spent)
    return Ceiling(most, spent, "enough", notebook), notebook


def _spending(*, cost: int | None = None, tokens: int | None = None) -> Spending:
    ceilings = [None if most is None else _ceiling(most)[0] for most in (cost, tokens)]
    return Spending(*ceilings)


@given(
    most=_AMOUNTS,
    spent=_AMOUNTS,
    calls=st.lists(
        st.tuples(st.integers(0, 10**11), st.floats(0, 1), st.integers(0, 5)), max_size=60
    ),
)
def test_the_ceiling_holds_and_what_is_put_down_covers_it_over_any_sequence_of_calls(
    most: int, spent: int, calls: list[tuple[int, float, int]]
) -> None:
    ceiling, notebook = _ceiling(most, spent)
    in_flight = list[tuple[int, float]]()

    def holds() -> bool:
        total = ceiling.spent + ceiling.reserved
        return total <= max(most, spent) and total <= notebook.amount <= max(most, spent)

    for worst, share, ends in calls:
        if ceiling.allows(worst) and ceiling.covers(worst):
            ceiling.reserve(worst)
            in_flight.append((worst, share))
        assert holds()
        while in_flight and len(in_flight) > ends:
            reserved, used = in_flight.pop(0)
            ceiling.settle(reserved, int(reserved * used))
            assert holds()


def test_a_call_that_costs_all_that_is_left_is_allowed_and_one_nano_more_is_not() -> None:
    ceiling, _ = _ceiling(100, spent=40)
    assert ceiling.allows(60)
    assert not ceiling.allows(61)
    ceiling.reserve(60)
    assert not ceiling.allows(1)
    ceiling.settle(60, 10)
    assert ceiling.allows(50)
    assert not ceiling.allows(51)


def test_a_call_is_covered_once_its_worst_case_is_put_down_beside_what_is_reserved() -> None:
    class Slow(Notebook):
        """Puts nothing down; remembers what it was asked for."""

        def covers(self, needed: int, ahead: int) -> bool:
            self.amounts += [needed, ahead]
            return needed <= 60

    slow = Slow()
    ceiling = Ceiling(100, 30, "enough", slow)
    assert ceiling.covers(20)
    ceiling.reserve(20)
    assert not ceiling.covers(20)
    assert slow.amounts == [50, 50, 70, 30]


@pytest.mark.parametrize("worst", [1, 1000])
def test_not_each_call_needs_a_write(worst: int) -> None:
    ceiling, notebook = _ceiling(10**6)
    calls = 0
    while ceiling.allows(worst) and ceiling.covers(worst):
        ceiling.reserve(worst)
        ceiling.settle(worst, worst)
        calls += 1
    assert calls == 10**6 // worst
    assert len(notebook.amounts) <= calls / 16
    assert notebook.amounts[-1] == 10**6


async def test_in_the_end_what_was_spent_is_put_down() -> None:
    ceiling, notebook = _ceiling(1000, spent=5)
    assert ceiling.covers(10)
    ceiling.reserve(10)
    ceiling.settle(10, 3)
    await ceiling.close()
    assert notebook.amounts[-1] == 8


async def test_where_nothing_was_spent_nothing_is_put_down() -> None:
    ceiling, notebook = _ceiling(1000, spent=5)
    await ceiling.close()
    assert notebook.amounts == []


def test_a_bill_above_its_worst_case_is_put_down_too_and_ends_the_spending() -> None:
    ceiling, notebook = _ceiling(100)
    ceiling.reserve(60)
    ceiling.settle(60, 150)
    assert notebook.amounts[-1] == 150
    assert not ceiling.allows(0)


async def test_spending_without_ceilings_refuses_nothing() -> None:
    spending = _spending()
    dear = Bill(10**12, 10**12)
    assert spending.covers(dear)
    spending.reserve(dear)
    spending.settle(dear, NOTHING)
    await spending.close()
    assert spending.refuses(dear) is None
    assert spending.is_idle
    assert not spending.is_limited


@pytest.mark.parametrize(
    ("worst", "ceiling"),
    [
        (Bill(100, 1000), None),
        (Bill(101, 1000), "tokens"),
        (Bill(100, 1001), "cost"),
        (Bill(101, 1001), "cost"),
    ],
)
def test_the_ceiling_that_a_call_might_break_is_named(worst: Bill, ceiling: str | None) -> None:
    spending = _spending(cost=1000, tokens=100)
    expected = {None: None, "cost": spending.cost, "tokens": spending.tokens}[ceiling]
    assert spending.refuses(worst) is expected


def test_a_single_ceiling_minds_its_own_amounts_alone() -> None:
    assert _spending(cost=10).refuses(Bill(10**12, 10)) is None
    assert _spending(tokens=10).refuses(Bill(10, 10**12)) is None
    assert _spending(cost=10).is_limited
    assert _spending(tokens=10).is_limited


def test_waiting_frees_something_only_while_a_call_is_under_way() -> None:
    spending = _spending(cost=1000, tokens=100)
    idle = [spending.is_idle]
    spending.reserve(Bill(90, 0))
    assert spending.refuses(Bill(20, 0)) is spending.tokens
    idle.append(spending.is_idle)
    spending.settle(Bill(90, 0), Bill(30, 0))
    assert spending.refuses(Bill(20, 0)) is None
    idle.append(spending.is_idle)
    assert idle == [True, False, True]


def test_a_call_that_was_not_billed_frees_all_that_was_reserved() -> None:
    spending = _spending(cost=1000, tokens=100)
    spending.reserve(Bill(90, 900))
    spending.settle(Bill(90, 900), NOTHING)
    assert spending.refuses(Bill(100, 1000)) is None


async def test_each_ceiling_settles_its_own_part_of_a_bill_and_puts_it_down() -> None:
    (cost, of_cost), (tokens, of_tokens) = _ceiling(1000), _ceiling(100)
    spending = Spending(cost, tokens)
    assert spending.covers(Bill(50, 500))
    assert (of_cost.amount, of_tokens.amount) == (1000, 100)
    spending.reserve(Bill(50, 500))
    spending.settle(Bill(50, 500), Bill(5, 70))
    await spending.close()
    assert (of_cost.amounts[-1], of_tokens.amounts[-1]) == (70, 5)


def test_a_call_is_covered_only_by_both_ceilings_and_both_are_asked_at_once() -> None:
    class Empty(Notebook):
        def covers(self, needed: int, ahead: int) -> bool:
            super().covers(needed, ahead)
            return False

    empty, full = Empty(), Notebook()
    spending = Spending(Ceiling(1000, 0, "", empty), Ceiling(100, 0, "", full))
    assert not spending.covers(Bill(50, 500))
    assert (empty.amount, full.amount) == (1000, 100)
