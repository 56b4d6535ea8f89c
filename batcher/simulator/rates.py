"""Limits a minute, of requests and of tokens, and the headers that tell of them. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

_MINUTE_S = 60.0
# Far below one request or token, far above what adding seconds up loses.
_SLACK = 1e-6


class Bucket:
    """One limit a minute.

    What was used comes back continuously, not at a full minute: OpenAI's `x-ratelimit-reset-*`
    are the times until a bucket is full again (one request of 5,000 a minute: 12 ms), and
    Anthropic's documents name the token bucket. So a whole minute's worth may come at once, and
    after it a steady stream.
    """

    __slots__ = ("_at", "_left", "limit")

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._left = float(limit)
        self._at = now

    def left(self, now: float) -> float:
        """Return what may be used now."""
        # A clock that was set back gives nothing.
        refill = max(now - self._at, 0.0) * self.limit / _MINUTE_S
        return min(self._left + refill, float(self.limit))

    def holds(self, amount: int, now: float) -> bool:
        """Tell whether there is enough; what is more than the limit needs a full bucket."""
        return self.left(now) + _SLACK >= min(amount, self.limit)

    def take(self, amount: int, now: float) -> None:
        """Use what it holds."""
        self._left = max(self.left(now) - amount, 0.0)
        self._at = now

    def reset_s(self, now: float) -> float:
        """Return the seconds until it is full again."""
        return (self.limit - self.left(now)) / self.limit * _MINUTE_S


@dataclass(frozen=True, slots=True)
class Rates:
    """The limits a minute of one account; None where there is none.

    A request that is refused uses nothing of either.
    """

    requests: Bucket | None
    tokens: Bucket | None

    def take(self, tokens: int, now: float) -> bool:
        """Use one request and its tokens, if there is enough of both; else nothing."""
        uses = [(b, n) for b, n in ((self.requests, 1), (self.tokens, tokens)) if b is not None]
        if not all(bucket.holds(amount, now) for bucket, amount in uses):
            return False
        for bucket, amount in uses:
            bucket.take(amount, now)
        return True

    def headers(self, now: float) -> dict[str, str]:
        """Return OpenAI's headers (protocol.md section 4)."""
        headers = {}
        for name, bucket in (("requests", self.requests), ("tokens", self.tokens)):
            if bucket is not None:
                headers[f"x-ratelimit-limit-{name}"] = str(bucket.limit)
                headers[f"x-ratelimit-remaining-{name}"] = str(int(bucket.left(now) + _SLACK))
                headers[f"x-ratelimit-reset-{name}"] = duration(bucket.reset_s(now))
        return headers


def duration(seconds: float) -> str:
    """Write a time as OpenAI does, rounded up to milliseconds: `12ms`, `8.64s`, `1m30s`."""
    milliseconds = math.ceil(round(seconds * 1000, 3))
    if milliseconds < 1000:  # noqa: PLR2004 -- a second
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    return (f"{minutes}m" if minutes else "") + f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
