"""Amounts of money: whole billionths of a currency's unit, so that sums are exact."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

MONEY = r"^[0-9]{1,9}(\.[0-9]{1,9})? ?[A-Z]{3}\Z"

NANOS = 1_000_000_000
"""Nanos in one unit of a currency."""


class Money(NamedTuple):
    """An amount in nanos, and its currency as three letters."""

    nanos: int
    currency: str


def money_of(text: str) -> Money:
    """Return the amount of a `MONEY` such as 5.00CNY."""
    return Money(int(Decimal(text[:-3].strip()) * NANOS), text[-3:])


def amount(nanos: int) -> str:
    """Return an amount in units, rounded up: to 1/100 of one, below one unit to 1/10,000."""
    places = 2 if nanos >= NANOS else 4
    shown = -(-nanos * 10**places // NANOS)
    return f"{shown / 10**places:,.{places}f}"


def exact(nanos: int) -> str:
    """Return an amount in units with all its decimals."""
    whole, rest = divmod(nanos, NANOS)
    return f"{whole:,}.{rest:09}".rstrip("0").rstrip(".")
