"""The engine with calls of a test's own in place of the network."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from batcher.engine.admission import Admission
from batcher.engine.judgement import Judge
from batcher.engine.policy.breaker import Breaker
from batcher.engine.policy.budget import Budget
from batcher.engine.policy.lane import Account, Call, Lane
from batcher.engine.policy.limit import FixedLimit, Limit
from batcher.engine.policy.spending import Spending
from batcher.engine.retry import Fallback, OnAttempt, Retrier, RetryPolicy
from batcher.errors import Halt
from batcher.providers import Pricing

PRICING = Pricing.of("glm", {})


@dataclass
class Engine:
    """What an engine is made of; what a test does not care about has a value."""

    calls: Sequence[Call]
    most: int = 8
    limit: Callable[[], Limit] | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    pricing: Pricing = PRICING
    spending: Spending = field(default_factory=Spending)
    fallback: Fallback = field(default_factory=Fallback)
    rpm: float | None = None
    tpm: float | None = None
    max_wait: float = 6 * 3600.0
    max_outage: float = 6 * 3600.0
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform
    on_attempt: OnAttempt = lambda _request, _attempt, _cost: None
    renewed: list[int] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    widened: list[int] = field(default_factory=list)

    def admission(self) -> Admission:
        accounts = [
            Account(number, call, lambda number=number: self.renewed.append(number))  # type: ignore[misc]
            for number, call in enumerate(self.calls, 1)
        ]
        return Admission(
            accounts,
            self._lane,
            self.spending,
            self.most,
            self.monotonic,
            self.sleep,
            self.halts.append,
            self.widened.append,
        )

    def retrier(self) -> Retrier:
        admission = self.admission()
        judge = Judge(
            admission,
            self.max_wait,
            self.max_outage,
            self.clock,
            self.uniform,
            self.notices.append,
        )
        return Retrier(
            admission,
            judge,
            self.policy,
            self.pricing,
            self.on_attempt,
            self.fallback,
            sleep=self.sleep,
            clock=self.clock,
            monotonic=self.monotonic,
            uniform=self.uniform,
        )

    def _lane(self, account: Account, model: str) -> Lane:
        limit = FixedLimit(self.most) if self.limit is None else self.limit()
        return Lane(
            account, model, limit, Breaker(self.uniform), Budget(self.rpm), Budget(self.tpm)
        )
