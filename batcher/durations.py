"""Times as users write them: 90s, 1h30m, 06:00."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

DURATION = r"^(?=.)([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,7}s)?\Z"
TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z"

_UNITS_S = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def seconds_of(duration: str) -> float:
    """Return the seconds of a `DURATION`."""
    return float(sum(int(n) * _UNITS_S[u] for n, u in re.findall(r"([0-9]+)([dhms])", duration)))


def seconds_until(time_of_day: str, now: datetime) -> float:
    """Return the seconds from `now` (aware) to the next `TIME_OF_DAY` in its zone."""
    hour, minute = map(int, time_of_day.split(":"))
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if moment <= now:
        moment += timedelta(days=1)
    return (moment - now).total_seconds()
