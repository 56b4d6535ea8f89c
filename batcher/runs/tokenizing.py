"""A sample of the requests, counted by the provider's tokenizer: the documents only estimate.

The tokenizer is no model and costs nothing, but it is the provider's; so few calls are made, and
where it does not answer, an estimate goes on without it and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from batcher.engine.client import Client
from batcher.engine.room import Room
from batcher.errors import Action, ErrorClass, Problem, ProviderError
from batcher.job import JobSpec
from batcher.providers.token_ratio import TokenRatio
from batcher.providers.tokens import estimate_tokens
from batcher.records import Request
from batcher.runs.calling import Callee, open_clients

# The largest request that is kept for the sample: a hundred of them must fit into memory.
_LARGEST = 1024 * 1024
_AT_ONCE = 4
_TRIES = 3
_TOTAL_S = 60.0
_LONGEST_WAIT_S = 30.0

Sleep = Callable[[float], Awaitable[None]]
Count = Callable[[Request], Awaitable[int]]


@dataclass(slots=True)
class Sample:
    """At most `most` requests of each model, each with the same chance; `chances` draws them."""

    most: int
    chances: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 -- a sample
    _seen: dict[str, int] = field(default_factory=dict)
    _kept: dict[str, list[Request]] = field(default_factory=dict)

    def offer(self, request: Request) -> None:
        """Take a request into the sample, perhaps (Vitter's algorithm R)."""
        if request.size > _LARGEST or self.most == 0:
            return
        model = str(request.body["model"])
        seen = self._seen[model] = self._seen.get(model, 0) + 1
        kept = self._kept.setdefault(model, [])
        if len(kept) < self.most:
            kept.append(request)
        elif (at := self.chances.randrange(seen)) < self.most:
            kept[at] = request

    def __iter__(self) -> Iterator[tuple[str, list[Request]]]:
        """Yield each model with its requests."""
        yield from self._kept.items()


@dataclass(frozen=True, slots=True)
class Tokenized:
    """What was counted: the ratios of models, and why there are none of others, in words."""

    ratios: Mapping[str, TokenRatio] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


def uncounted(models: Iterable[str], reason: str) -> Tokenized:
    """Return that nothing was counted, for one reason."""
    return Tokenized(reasons=dict.fromkeys(models, reason))


async def tokenize(
    sample: Sample, job: JobSpec, callee: Callee, sleep: Sleep = asyncio.sleep
) -> Tokenized:
    """Have a sample counted by the tokenizer of `callee`; whatever fails becomes a reason.

    Raises:
        ConfigurationError: the provider's address cannot be used.
    """
    if not callee.provider.has_tokenizer:
        return uncounted(dict(sample), f"{callee.provider.name} has no tokenizer to ask")
    limits = msgspec.structs.replace(job.limits, timeout=min(job.limits.timeout, _TOTAL_S))
    job = msgspec.structs.replace(job, limits=limits)
    async with contextlib.AsyncExitStack() as stack:
        # Nothing is kept there: what is counted is a number.
        client, *_ = await open_clients(stack, job, callee, _AT_ONCE, room=Room(), ledger=None)
        count = _counting(client)
        ratios, reasons = {}, {}
        for model, requests in sample:
            counts, reason = await _counted(requests, count, sleep)
            if counts:
                ratios[model] = TokenRatio.of(counts)
            if reason is not None:
                reasons[model] = reason
        return Tokenized(ratios, reasons)


def _counting(client: Client) -> Count:
    async def count(request: Request) -> int:
        return await client.count_tokens(request, str(uuid.uuid4()))

    return count


async def _counted(
    requests: Iterable[Request], count: Count, sleep: Sleep
) -> tuple[list[tuple[int, int]], str | None]:
    """Count requests, a few at once; return estimates with counts, and what went wrong first.

    A request that is refused for itself is left out; what would meet the others as well ends it.
    """
    counts: list[tuple[int, int]] = []
    problems: list[Problem] = []
    left = iter(requests)

    async def count_some() -> None:
        for request in left:
            if any(problem.error_class.rule.action is not Action.FAIL_ROW for problem in problems):
                return
            try:
                tokens = await _patiently(request, count, sleep)
                counts.append((estimate_tokens(request.body), tokens))
            except ProviderError as error:
                problems.append(error.problem)

    await asyncio.gather(*(count_some() for _ in range(_AT_ONCE)))
    return counts, problems[0].message if problems else None


async def _patiently(request: Request, count: Count, sleep: Sleep) -> int:
    """Count a request, up to three times where another try may help."""
    for tried in range(1, _TRIES):
        try:
            return await count(request)
        except ProviderError as error:
            rule = error.problem.error_class.rule
            unreachable = error.problem.error_class is ErrorClass.NOT_SENT
            if rule.action is not Action.RETRY or unreachable:
                raise
            await sleep(min(max(tried, error.retry_after or 0), _LONGEST_WAIT_S))
    return await count(request)
