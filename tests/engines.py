"""The engine with calls of a test's own in place of the network."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec

from batcher.engine.admission import Admission
from batcher.engine.judgement import Judge
from batcher.engine.policy.breaker import Breaker
from batcher.engine.policy.budget import Budget
from batcher.engine.policy.lane import Account, Call, Lane
from batcher.engine.policy.limit import FixedLimit, Limit
from batcher.engine.policy.patience import Fallback, RetryPolicy
from batcher.engine.policy.spending import Spending
from batcher.engine.retry import OnAttempt, Retrier
from batcher.errors import Halt
from batcher.executors import LocalExecutor
from batcher.providers import Pricing
from batcher.records import Attempt, Exchange, Request, Source
from tests.overload import virtual

PRICING = Pricing.of("glm", {})

P = ParamSpec("P")


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in a loop whose clock skips every wait, and which cannot hang."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        virtual.run(test(*args, **kwargs))

    return run


def middle(low: float, high: float) -> float:
    """Draw no lot."""
    return (low + high) / 2


def exchange(attempt: Attempt, *, sample: int = 0) -> Exchange:
    """Return a call of a row about which a test does not care."""
    source = Source("prompts.jsonl", 1)
    return Exchange(Request(0, "a", "key", {"model": "m"}, source, sample=sample), attempt)


@dataclass
class Notebook:
    """Puts down at once what is asked for, and keeps it."""

    amount: int = 0
    amounts: list[int] = field(default_factory=list)

    def covers(self, needed: int, ahead: int) -> bool:
        if needed + ahead // 2 > self.amount:
            self.amount = needed + ahead
            self.amounts.append(self.amount)
        return True

    async def end(self, amount: int) -> None:
        if amount != self.amount:
            self.amounts.append(amount)


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
    on_attempt: OnAttempt = lambda _exchange: None
    renewed: list[int] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

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
            fallback=self.fallback,
            sleep=self.sleep,
            clock=self.clock,
            monotonic=self.monotonic,
            uniform=self.uniform,
        )

    def executor(self) -> LocalExecutor:
        executor = LocalExecutor(self.retrier())
        executor.admission.on_halt = executor.stop
        return executor

    def _lane(self, account: Account, model: str) -> Lane:
        limit = FixedLimit(self.most) if self.limit is None else self.limit()
        return Lane(
            account, model, limit, Breaker(self.uniform), Budget(self.rpm), Budget(self.tpm)
        )
