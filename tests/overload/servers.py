"""Models of the services that a run may meet, behind one callable as the engine's client is one.

    sent -> network -> gates (the first that refuses wins) -> service -> network -> completion

Errors are those that the client makes of the real answers. All in virtual time.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from batcher.engine.policy.lane import Call
from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.limits import RateLimits
from batcher.records import Completion, Request, Usage
from tests.overload.ledger import Entry, Ledger
from tests.overload.service import Service
from tests.overload.virtual import monotonic, seeded

MODEL = "glm-4.7"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a row's answer will be: its tokens, and its seconds from an unloaded server."""

    prompt_tokens: int
    completion_tokens: int
    seconds: float

    @property
    def tokens(self) -> int:
        """All that a limit on tokens counts."""
        return self.prompt_tokens + self.completion_tokens


def answers(
    seed: int,
    *,
    median_tokens: int = 150,
    sigma: float = 0.8,
    first_token_s: float = 0.4,
    tokens_a_second: float = 80.0,
) -> list[Answer]:
    """Return answers of lognormal length; row n gets the n-th, and they repeat.

    A completion's latency follows its length: with `sigma` 0.8, a tenth take 2.8 times the median.
    """
    lengths = seeded(seed)
    completions = (
        max(1, round(median_tokens * lengths.lognormvariate(0, sigma))) for _ in range(2003)
    )
    return [
        Answer(lengths.randint(20, 200), tokens, first_token_s + tokens / tokens_a_second)
        for tokens in completions
    ]


@dataclass(frozen=True, slots=True)
class Visit:
    """A call that has arrived, as the gates see it; `admitted` counts those of its key inside."""

    row: int
    key: str
    now: float
    admitted: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call ends in this error, `after` seconds from its arrival; without one it never ends."""

    error_class: ErrorClass | None
    code: str | None = None
    http_status: int | None = None
    after: float = 0.0
    retry_after: float | None = None
    resets_at: float | None = None


class Gate(Protocol):
    """Decides whether a call is served."""

    def refuse(self, visit: Visit) -> Refusal | None:
        """Return how `visit` is refused; None where it is let in."""


@dataclass(slots=True)
class Endpoint:
    """A service with its network; called by keys, and it keeps a ledger.

    Attributes:
        network_s: Seconds each way.
        total_s: The client's deadline for a whole call.
        named: What the headers of an answer say of the limits of its key, now.
    """

    service: Service
    answers: Sequence[Answer]
    gates: Sequence[Gate] = ()
    network_s: float = 0.02
    total_s: float = 300.0
    named: Callable[[str, float], RateLimits | None] = lambda _key, _now: None
    ledger: Ledger = field(default_factory=Ledger)
    _admitted: dict[str, int] = field(default_factory=dict)

    def signed_in(self, key: str) -> Call:
        """Return what calls this service with `key`."""
        return functools.partial(self._call, key)

    async def __call__(self, request: Request, request_id: str) -> Completion:
        """Call with the only key.

        Raises:
            ProviderError: as the engine's client raises it.
        """
        return await self._call("key", request, request_id)

    async def _call(self, key: str, request: Request, request_id: str) -> Completion:
        answer = self.answers[request.row % len(self.answers)]
        entry = Entry(request.row, key, monotonic(), answer.tokens, answer.seconds)
        self.ledger.entries.append(entry)
        # What a cancelled call comes to nobody waits to learn.
        entry.verdict = ErrorClass.AMBIGUOUS
        try:
            async with asyncio.timeout(self.total_s):
                limits = await self._visit(entry, answer)
            entry.verdict = None
        except ProviderError as error:
            entry.verdict = error.problem.error_class
            raise
        except TimeoutError:
            raise _error(Refusal(ErrorClass.AMBIGUOUS)) from None
        finally:
            entry.ended = monotonic()
        usage = Usage(answer.prompt_tokens, answer.completion_tokens)
        return Completion("done", None, None, "stop", MODEL, usage, request_id, limits)

    async def _visit(self, entry: Entry, answer: Answer) -> RateLimits | None:
        await asyncio.sleep(self.network_s)
        admitted = self._admitted.get(entry.key, 0)
        visit = Visit(entry.row, entry.key, monotonic(), admitted, answer)
        refusal = next(filter(None, (gate.refuse(visit) for gate in self.gates)), None)
        limits = self.named(entry.key, visit.now)
        if refusal is not None:
            await asyncio.sleep(refusal.after + self.network_s)
            if refusal.error_class is None:
                await asyncio.get_running_loop().create_future()
            raise _error(refusal, limits)
        entry.arrived = monotonic()
        self._admitted[entry.key] = admitted + 1
        try:
            await self.service.serve(answer.seconds)
        finally:
            self._admitted[entry.key] -= 1
            entry.left = monotonic()
        await asyncio.sleep(self.network_s)
        return limits


def _error(refusal: Refusal, limits: RateLimits | None = None) -> ProviderError:
    resets_at = refusal.resets_at
    return ProviderError(
        Problem(
            refusal.error_class or ErrorClass.AMBIGUOUS,
            "refused by the model of a service",
            refusal.code,
            refusal.http_status,
        ),
        retry_after=refusal.retry_after,
        resets_at=None if resets_at is None else datetime.fromtimestamp(resets_at, UTC),
        rate_limits=limits,
    )
