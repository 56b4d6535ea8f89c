"""When the provider wants to be asked again (protocol.md sections 3 and 4).

Neither header nor text is required or trusted: what cannot be read counts as not sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")

# "... 2026-08-25 07:41:44 ..." without a zone: Beijing's is assumed.
_RESET = re.compile(r"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})")
_BEIJING = timezone(timedelta(hours=8))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds to wait, finite and at least 0: `retry-after-ms` before `retry-after`.

    The latter holds seconds or an HTTP date, counted from `now` (aware).
    """
    milliseconds = number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = number(text)
    return _until(text, now) if seconds is None else seconds


def reset_moment(message: str) -> datetime | None:
    """Return the moment that the text of the codes 1308 and 1310 names, as UTC+8."""
    found = _RESET.search(message)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}").replace(tzinfo=_BEIJING)
    except ValueError:
        return None


def number(text: str) -> float | None:
    """Return a plain number from 0, or None for any other text."""
    # Not float() alone, which also reads -1, nan, inf and 1_000.
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return None
    value = float(stripped)
    return value if math.isfinite(value) else None


def _until(date: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        # The standard's dates are in UTC; "-0000" says so without naming a zone.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - now).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
