"""Everything between a request and the network, opened together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from batcher.engine.client import Client, Timeouts, http_client
from batcher.engine.limiter import Limiter
from batcher.engine.retry import OnAttempt, Retrier, RetryPolicy
from batcher.executors import LocalExecutor
from batcher.job import JobSpec
from batcher.providers import Auth, Provider
from batcher.simulator import SimulatorConfig, serve

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Callee:
    """Whom a run calls: a provider, signed in to by any of `auths`; or a simulator in its place."""

    provider: Provider
    auths: tuple[Auth, ...]
    simulator: SimulatorConfig | None = None


@contextlib.asynccontextmanager
async def open_executor(
    job: JobSpec,
    callee: Callee,
    *,
    calls: int,
    unanswered: Mapping[str, int],
    ledger: Path,
    on_attempt: OnAttempt,
    sleep: Sleep,
) -> AsyncIterator[LocalExecutor]:
    """Open the network, and the simulator where it is the one to call (it writes `ledger`).

    At most `calls` are in flight at once. `unanswered` says by key how often earlier processes
    sent a row without a whole answer; `sleep` waits between two attempts of a row.

    Raises:
        ConfigurationError: the provider's address cannot be used.
    """
    limits = job.limits
    timeouts = Timeouts(limits.connect_timeout, limits.idle_timeout, limits.timeout)
    async with contextlib.AsyncExitStack() as stack:
        provider = callee.provider
        if callee.simulator is not None:
            config = replace(callee.simulator, ledger=ledger)
            simulator = await stack.enter_async_context(serve(config))
            provider = replace(provider, base_url=simulator.base_url)
        environment = os.environ if job.provider.trust_env else {}
        http = await stack.enter_async_context(
            http_client(provider.base_url, calls, environment=environment)
        )
        client = Client(
            http,
            provider,
            callee.auths[0],
            timeouts=timeouts,
            stream=job.provider.stream,
            allow_empty=job.provider.allow_empty,
            max_response_bytes=limits.max_response_bytes,
        )
        policy = RetryPolicy(limits.max_attempts, max_wait=limits.max_wait)
        retrier = Retrier(
            client.complete,
            Limiter(calls),
            policy,
            client.renew,
            on_attempt,
            sleep,
            unanswered,
        )
        yield LocalExecutor(retrier)
