"""Everything between a request and the network, opened together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path

from batcher.durations import seconds_of
from batcher.engine.admission import Admission
from batcher.engine.client import Client, Receiving, Timeouts, open_transport
from batcher.engine.judgement import Judge
from batcher.engine.policy.adaptive import AdaptiveLimit
from batcher.engine.policy.breaker import Breaker
from batcher.engine.policy.budget import Budget
from batcher.engine.policy.lane import Account, Lane
from batcher.engine.policy.limit import FixedLimit, Limit
from batcher.engine.policy.patience import Fallback, RetryPolicy
from batcher.engine.policy.spending import Spending
from batcher.engine.reading import Read
from batcher.engine.retry import OnAttempt, Retrier
from batcher.engine.room import Room
from batcher.errors import ErrorClass, Halt
from batcher.executors import LocalExecutor
from batcher.job import JobSpec
from batcher.providers import Auth, Pricing, Provider
from batcher.records import InvalidAnswer
from batcher.simulator import SimulatorConfig, serve


@dataclass(frozen=True, slots=True)
class Callee:
    """Whom a run calls: a provider, signed in to by each of `auths`; or a simulator instead."""

    provider: Provider
    auths: tuple[Auth, ...]
    simulator: SimulatorConfig | None = None


def pricing_of(job: JobSpec, callee: Callee) -> Pricing:
    """Return what calls cost: the job's own prices, or those of the provider's list."""
    return Pricing.of(callee.provider.name, job.prices)


@dataclass(frozen=True, slots=True)
class Timing:
    """How a run waits between attempts, and reads the clock that does not jump."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic


REAL_TIME = Timing()


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who hears what: of each attempt, of how many calls may come to be in flight, of news."""

    on_attempt: OnAttempt
    widen: Callable[[int, int], bool]
    on_notice: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What calls must keep to: at most `calls` at once, ceilings, and prices.

    `unanswered` says by key how often earlier processes sent a row without a whole answer, and
    `possible_costs` how many nanos that may have cost; `invalid` has the latest answers of no use.
    `read` finds in an answer what the job wants, where that is more than its text.
    """

    _: KW_ONLY
    calls: int
    pricing: Pricing
    spending: Spending
    unanswered: Mapping[str, int]
    possible_costs: Mapping[str, int]
    invalid: Mapping[str, InvalidAnswer]
    read: Read | None


@contextlib.asynccontextmanager
async def open_executor(
    job: JobSpec,
    callee: Callee,
    *,
    terms: Terms,
    ledger: Path,
    hearers: Hearers,
    timing: Timing,
) -> AsyncIterator[LocalExecutor]:
    """Open the network, and the simulator where it is the one to call (it writes `ledger`).

    Raises:
        ConfigurationError: the provider's address cannot be used.
    """
    limits = job.limits
    async with contextlib.AsyncExitStack() as stack:
        room = Room()
        clients = await open_clients(stack, job, callee, terms.calls, room=room, ledger=ledger)
        accounts = [
            Account(number, client.complete, client.renew)
            for number, client in enumerate(clients, 1)
        ]

        def open_lane(account: Account, model: str) -> Lane:
            calls = terms.calls
            limit: Limit = FixedLimit(calls) if limits.is_fixed else AdaptiveLimit(calls)
            breaker = Breaker(random.uniform)
            return Lane(account, model, limit, breaker, Budget(limits.rpm), Budget(limits.tpm))

        def halt(why: Halt) -> None:
            executor.stop(why)

        admission = Admission(
            accounts,
            open_lane,
            terms.spending,
            terms.calls,
            timing.monotonic,
            timing.sleep,
            on_halt=halt,
            widen=hearers.widen,
            room=room,
        )
        judge = Judge(
            admission,
            limits.max_wait,
            seconds_of(limits.max_outage),
            time.time,
            random.uniform,
            hearers.on_notice,
        )
        retrier = Retrier(
            admission,
            judge,
            RetryPolicy(limits.max_attempts, repairs=job.output.repair_attempts),
            terms.pricing,
            hearers.on_attempt,
            fallback=Fallback(
                job.provider.models, frozenset(map(ErrorClass, job.provider.fallback_on))
            ),
            unanswered=terms.unanswered,
            possible_costs=terms.possible_costs,
            invalid=terms.invalid,
            read=terms.read,
            sleep=timing.sleep,
            monotonic=timing.monotonic,
        )
        executor = LocalExecutor(retrier)
        yield executor


async def open_clients(
    stack: contextlib.AsyncExitStack,
    job: JobSpec,
    callee: Callee,
    calls: int,
    *,
    room: Room,
    ledger: Path | None,
) -> list[Client]:
    """Open the pool of connections, and a client for each key; first the simulator, if it is one.

    Raises:
        ConfigurationError: the provider's address cannot be used.
    """
    limits, provider = job.limits, callee.provider
    if callee.simulator is not None:
        config = replace(callee.simulator, ledger=ledger)
        simulator = await stack.enter_async_context(serve(config))
        provider = replace(provider, base_url=simulator.base_url)
    environment = os.environ if job.provider.trust_env else {}
    transport = await stack.enter_async_context(
        open_transport(provider.base_url, calls, environment=environment)
    )
    # One thread: several would only keep the loop from the interpreter's lock.
    decoder = stack.enter_context(ThreadPoolExecutor(1, "decoder"))
    receiving = Receiving(limits.max_response_bytes, room, decoder)
    timeouts = Timeouts(limits.connect_timeout, limits.idle_timeout, limits.timeout)
    return [
        Client(
            transport,
            provider,
            auth,
            timeouts=timeouts,
            stream=job.provider.stream,
            allow_empty=job.provider.allow_empty,
            receiving=receiving,
        )
        for auth in callee.auths
    ]
