"""Amounts as users write them: 90s, 1h30m, 5.00CNY, 06:00."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

NANOS = 1_000_000_000
"""Nanos in one unit of a currency: money is counted in them, so that sums are exact."""

DURATION = r"^(?=.)([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,7}s)?\Z"
MONEY = r"^[0-9]{1,9}(\.[0-9]{1,9})? ?[A-Z]{3}\Z"
TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z"

_UNITS_S = {"d": 86400, "h": 3600, "m": 60, "s": 1}


class Money(NamedTuple):
    """An amount in nanos, and its currency as three letters."""

    nanos: int
    currency: str

    def __str__(self) -> str:
        return f"{Decimal(self.nanos) / NANOS:,.2f} {self.currency}"


def seconds_of(duration: str) -> float:
    """Return the seconds of a `DURATION`."""
    return float(sum(int(n) * _UNITS_S[u] for n, u in re.findall(r"([0-9]+)([dhms])", duration)))


def money_of(text: str) -> Money:
    """Return the amount of a `MONEY`."""
    return Money(int(Decimal(text[:-3].strip()) * NANOS), text[-3:])


def seconds_until(time_of_day: str, now: datetime) -> float:
    """Return the seconds from `now` (aware) to the next `TIME_OF_DAY` in its zone."""
    hour, minute = map(int, time_of_day.split(":"))
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if moment <= now:
        moment += timedelta(days=1)
    return (moment - now).total_seconds()
