"""Amounts of money: whole billionths of a currency's unit, so that sums are exact."""

from __future__ import annotations

NANOS = 1_000_000_000
"""Nanos in one unit of a currency."""


def amount(nanos: int) -> str:
    """Return an amount in units, rounded up: to 1/100 of one, below one unit to 1/10,000."""
    places = 2 if nanos >= NANOS else 4
    shown = -(-nanos * 10**places // NANOS)
    return f"{shown / 10**places:,.{places}f}"


def exact(nanos: int) -> str:
    """Return an amount in units with all its decimals."""
    whole, rest = divmod(nanos, NANOS)
    return f"{whole:,}.{rest:09}".rstrip("0").rstrip(".")
