"""Why a service may refuse a call: its limits, its troubles, and the account's."""

from __future__ import annotations

import random
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from batcher.errors import ErrorClass
from batcher.limits import RateLimit, RateLimits
from tests.overload.ledger import Steps
from tests.overload.servers import Refusal, Visit

_NO_LIMIT = 10**15

THROTTLED = Refusal(ErrorClass.THROTTLED, "1302", 429)
TOO_FREQUENT = Refusal(ErrorClass.THROTTLED, "1303", 429)
PLATFORM_OVERLOADED = Refusal(ErrorClass.OVERLOADED, "1305", 429)
UNAVAILABLE = Refusal(ErrorClass.OVERLOADED, None, 503)
BROKEN = Refusal(ErrorClass.SERVER_ERROR, None, 500)
UNREACHABLE = Refusal(ErrorClass.NOT_SENT)
ARREARS = Refusal(ErrorClass.BALANCE, "1113", 429)
BLACK_HOLE = Refusal(None)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` calls of a key at once (protocol.md section 4)."""

    limit: Steps
    refusal: Refusal = THROTTLED

    def refuse(self, visit: Visit) -> Refusal | None:
        """Refuse what comes while the limit is reached."""
        return self.refusal if visit.admitted >= self.limit(visit.now) else None


@dataclass(slots=True)
class Randomly:
    """Refuses a share of the calls, whatever they are."""

    share: float
    refusal: Refusal
    chance: random.Random

    def refuse(self, visit: Visit) -> Refusal | None:  # noqa: ARG002 -- a gate's
        """Refuse by lot."""
        return self.refusal if self.chance.random() < self.share else None


@dataclass(frozen=True, slots=True)
class During:
    """Refuses every call that comes between two moments."""

    since: float
    until: float
    refusal: Refusal

    def refuse(self, visit: Visit) -> Refusal | None:
        """Refuse what comes meanwhile."""
        return self.refusal if self.since <= visit.now < self.until else None


@dataclass(frozen=True, slots=True)
class Poison:
    """Refuses some rows for ever."""

    rows: Container[int]
    refusal: Refusal = BROKEN

    def refuse(self, visit: Visit) -> Refusal | None:
        """Refuse these rows."""
        return self.refusal if visit.row in self.rows else None


@dataclass(slots=True)
class AfterCalls:
    """Lets each key of `calls` make so many calls, and refuses it then."""

    calls: Mapping[str, int]
    refusal: Refusal
    until: float = float("inf")
    _made: dict[str, int] = field(default_factory=dict)

    def refuse(self, visit: Visit) -> Refusal | None:
        """Refuse a key that has had its calls, until the limit is renewed."""
        made = self._made[visit.key] = self._made.get(visit.key, 0) + 1
        used_up = made > self.calls.get(visit.key, made) and visit.now < self.until
        return self.refusal if used_up else None


@dataclass(slots=True)
class Minute:
    """A limit on requests and tokens a minute, which renews itself steadily (as OpenAI's do).

    What a call takes counts when it is admitted; a refused one takes nothing.
    """

    requests: int | None = None
    tokens: int | None = None
    refusal: Refusal = TOO_FREQUENT
    _left: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def refuse(self, visit: Visit) -> Refusal | None:
        """Refuse what the minute has no room for."""
        requests, tokens = self.left(visit.key, visit.now)
        takes = visit.answer.tokens
        if requests < 1 or tokens < takes:
            return self.refusal
        self._left[visit.key] = (requests - 1, tokens - takes, visit.now)
        return None

    def left(self, key: str, now: float) -> tuple[float, float]:
        """Return the requests and tokens that `key` may still take."""
        requests, tokens = float(self.requests or _NO_LIMIT), float(self.tokens or _NO_LIMIT)
        left = self._left.get(key)
        if left is None:
            return requests, tokens
        minutes = (now - left[2]) / 60
        return (
            min(requests, left[0] + requests * minutes),
            min(tokens, left[1] + tokens * minutes),
        )

    def named(self, key: str, now: float) -> RateLimits:
        """Return the limits as the headers of an answer name them."""
        requests, tokens = self.left(key, now)
        return RateLimits(_named(self.requests, requests), _named(self.tokens, tokens))


def _named(limit: int | None, left: float) -> RateLimit | None:
    if limit is None:
        return None
    return RateLimit(limit, int(left), (limit - left) / limit * 60)


@dataclass(slots=True)
class FixedMinute:
    """A limit on requests a minute, counted from each full minute on."""

    requests: int
    refusal: Refusal = TOO_FREQUENT
    _taken: dict[tuple[str, int], int] = field(default_factory=dict)

    def refuse(self, visit: Visit) -> Refusal | None:
        """Refuse what is too much for this minute."""
        minute = (visit.key, int(visit.now // 60))
        taken = self._taken.get(minute, 0)
        self._taken[minute] = taken + (taken < self.requests)
        return self.refusal if taken >= self.requests else None
