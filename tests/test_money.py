"""Amounts of money in words."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.money import NANOS, amount, exact


@pytest.mark.parametrize(
    ("nanos", "shown"),
    [
        (0, "0.0000"),
        (1, "0.0001"),
        (NANOS // 2, "0.5000"),
        (NANOS - 1, "1.0000"),
        (NANOS, "1.00"),
        (12_340_000_001, "12.35"),
        (1_234_567 * NANOS, "1,234,567.00"),
    ],
)
def test_an_amount_is_never_shown_as_less_than_it_is(nanos: int, shown: str) -> None:
    assert amount(nanos) == shown


@pytest.mark.parametrize(
    ("nanos", "shown"),
    [(0, "0"), (8 * NANOS, "8"), (10 * NANOS, "10"), (230_000_000, "0.23"), (1, "0.000000001")],
)
def test_an_exact_amount_has_the_decimals_it_needs(nanos: int, shown: str) -> None:
    assert exact(nanos) == shown


@given(st.integers(0, 10**18))
def test_an_exact_amount_reads_back_as_it_was(nanos: int) -> None:
    assert Decimal(exact(nanos).replace(",", "")) * NANOS == nanos
