"""How much a provider still allows, from the headers of an answer (protocol.md section 4).

https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers. Nothing is required or
trusted: what cannot be read counts as not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from batcher.limits import RateLimit, RateLimits
from batcher.providers.retry_after import number

# More digits than any account's limit has, and few enough for 64 bits.
_COUNT = re.compile(r"[0-9]{1,18}")
# As Go writes a duration: "12ms", "6m0s", "1h2m3.5s".
_DURATION = re.compile(
    r"(?=[0-9])(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m(?!s))?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)ms)?"
)
_SECONDS = (3600, 60, 1, 0.001)


def rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """Return the limits that `headers` (names in lower case) tell of, None where of none."""
    requests, tokens = _limit(headers, "requests"), _limit(headers, "tokens")
    none = requests is None and tokens is None
    return None if none else RateLimits(requests, tokens)


def _limit(headers: Mapping[str, str], what: str) -> RateLimit | None:
    stated = headers.get(f"x-ratelimit-limit-{what}")
    if stated is None:
        return None
    limit = _count(stated)
    remaining = _count(headers.get(f"x-ratelimit-remaining-{what}", ""))
    # A limit of none at all would be no limit, but a refusal; and this is an answer.
    if not limit or remaining is None:
        return None
    return RateLimit(limit, remaining, _duration(headers.get(f"x-ratelimit-reset-{what}", "")))


def _count(text: str) -> int | None:
    stripped = text.strip()
    return int(stripped) if _COUNT.fullmatch(stripped) else None


def _duration(text: str) -> float | None:
    """Return the seconds of a duration; a plain number counts them already."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return number(text)
    parts = zip(found.groups("0"), _SECONDS, strict=True)
    return sum(float(part) * seconds for part, seconds in parts)
