"""One way to the model: an account's key and a model, with the limits that hold there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf, isfinite

from batcher.engine.policy.breaker import Breaker
from batcher.engine.policy.budget import Budget
from batcher.engine.policy.forecast import Forecast
from batcher.engine.policy.limit import Grant, Limit
from batcher.engine.policy.signal import Signal
from batcher.errors import Problem
from batcher.limits import RateLimits
from batcher.records import Completion, Request
from batcher.wording import lasting

Call = Callable[[Request, str], Awaitable[Completion]]


@dataclass(slots=True)
class Account:
    """One key, by its number among the run's keys, from 1.

    No call is made until `paused_until` (monotonic), nor any more once it is `set_aside`. Its token
    was signed anew `renewals` times, and the last one is `unproven` until a call was not refused.
    """

    number: int
    call: Call
    renew: Callable[[], None]
    paused_until: float = 0.0
    set_aside: Problem | None = None
    renewals: int = 0
    unproven: bool = False

    def pause(self, now: float, seconds: float) -> bool:
        """Make no call for at least `seconds`; return whether any could be made until now."""
        if now + seconds <= max(now, self.paused_until):
            return False
        news = self.paused_until <= now
        self.paused_until = now + seconds
        return news


@dataclass(frozen=True, slots=True)
class Pass:
    """A call that may be made; a `probe` asks whether the endpoint is back."""

    grant: Grant
    at: float
    tokens: int
    probe: bool


@dataclass(slots=True)
class Lane:
    """The rules of one account and model, put together. Moments are monotonic seconds.

    `closed` says why the account cannot use the model.
    """

    account: Account
    model: str
    limit: Limit
    breaker: Breaker
    requests: Budget
    tokens: Budget
    forecast: Forecast = field(default_factory=Forecast)
    in_flight: int = 0
    throttled: int = 0
    answers: int = 0
    closed: Problem | None = None
    _last_at: float = -inf

    @property
    def is_usable(self) -> bool:
        """Whether calls can ever be made here again."""
        return self.closed is None and self.account.set_aside is None

    @property
    def is_free(self) -> bool:
        """Whether a call would keep to the limit."""
        return self.in_flight < self.limit.limit

    def wait(self, now: float) -> float:
        """Return the seconds until the next call; infinite if only the end of another helps."""
        if not (self.is_usable and self.is_free):
            return inf
        return max(
            self.account.paused_until - now,
            self.breaker.wait(now),
            self._last_at + self.limit.interval - now if self.limit.interval else 0.0,
            self.requests.wait(now),
            self.tokens.wait(now),
            0.0,
        )

    def held(self, now: float) -> str | None:
        """Say what keeps it from calling, if anything does but its limits."""
        if (since := self.breaker.since) is not None:
            down = f"endpoint down for {lasting(now - since)}"
            # Infinite also while calls that hang fill the limit.
            wait = self.wait(now)
            return (
                f"{down}, next probe in {lasting(wait)}" if isfinite(wait) else f"{down}, probing"
            )
        if self.account.paused_until > now:
            return f"paused by the provider for another {lasting(self.account.paused_until - now)}"
        return None

    def admit(self, now: float, tokens: int) -> Pass:
        """Let a call of about `tokens` go, now that there is nothing to wait for."""
        self.in_flight += 1
        self._last_at = now
        self.requests.take(now, 1)
        self.tokens.take(now, tokens)
        return Pass(self.limit.grant(self.in_flight), now, tokens, self.breaker.granted())

    def leave(self) -> None:
        """Make room: the endpoint has answered."""
        self.in_flight -= 1

    def answered(self, now: float, way: Pass, tokens: int) -> bool:
        """Take in an answer that used `tokens`; return whether the breaker closed."""
        self.answers += 1
        self.limit.completed(way.grant, now - way.at, tokens)
        self.tokens.take(now, tokens - way.tokens)
        return self._heard(now, way, Signal.ANSWERED, telling=True)

    def failed(self, now: float, way: Pass, signal: Signal, *, telling: bool) -> bool:
        """Take in a failure; return whether it opened or closed the breaker.

        `telling` is as in `Breaker.heard`.
        """
        if signal is Signal.THROTTLED:
            self.throttled += 1
            self.limit.refused(way.grant)
        elif signal is Signal.LOST:
            self.limit.lost(way.grant)
        if signal is not Signal.LOST:
            # Nothing was generated. (What was lost may have been.)
            self.tokens.take(now, -way.tokens)
        return self._heard(now, way, signal, telling=telling)

    def learn(self, now: float, limits: RateLimits | None) -> float:
        """Keep to the limits that a provider names; return the seconds to wait for used-up ones."""
        if limits is None:
            return 0.0
        waits = [0.0]
        if limits.requests is not None:
            waits.append(self.requests.learn(limits.requests, now))
        if limits.tokens is not None:
            waits.append(self.tokens.learn(limits.tokens, now))
        return max(waits)

    def _heard(self, now: float, way: Pass, signal: Signal, *, telling: bool) -> bool:
        turned = self.breaker.heard(now, signal, began=way.at, probe=way.probe, telling=telling)
        if turned and not self.breaker.is_open:
            self.limit.restart()
        return turned
