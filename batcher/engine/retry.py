"""From single attempts to the outcome of a row, by tenacity.

One decision for each failed attempt: whether the row is over, and else when it is called again
(reliability.md section C). What the attempt means for all others is the judge's business.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from itertools import starmap

import tenacity

from batcher.engine.admission import MAX_BACKOFF_S, Admission
from batcher.engine.billing import may_be_billed, possible_cost
from batcher.engine.judgement import Judge
from batcher.engine.policy.breaker import Uniform
from batcher.engine.policy.patience import NO_FALLBACK, Fallback, RetryPolicy
from batcher.engine.policy.spending import NOTHING, Bill, unbounded
from batcher.engine.reading import Read, value_of
from batcher.engine.row import Row
from batcher.engine.waiting import Permit, Wish
from batcher.errors import Action, ErrorClass, Problem, ProviderError
from batcher.providers import Pricing, Worst, estimate_tokens
from batcher.records import (
    Attempt,
    Completion,
    Exchange,
    InvalidAnswer,
    Kept,
    Outcome,
    Request,
)
from batcher.structured import InvalidAnswerError

# A row that failed so often while others went well is suspect: it says nothing of the endpoint.
SUSPECT = 2
# What speaks of the endpoint, whoever calls: a row's own fault only if others were answered since.
_OF_THE_ENDPOINT = frozenset({ErrorClass.OVERLOADED, ErrorClass.NOT_SENT})

OnAttempt = Callable[[Exchange], None]
Put = Callable[[Kept], Awaitable[None]]

_STOPPED = Problem(ErrorClass.AMBIGUOUS, "the run stopped before the answer came")
_UNCHECKED = "The run stopped before the answer was checked."
_SENT_TOO_OFTEN = Problem(
    ErrorClass.AMBIGUOUS, "earlier runs sent it as often as allowed, and no whole answer came"
)


def _new_request_id() -> str:
    # A fresh one for every attempt: request_id is no idempotency key (protocol.md section 1).
    return f"{random.getrandbits(128):032x}"


@dataclass(frozen=True, slots=True)
class Retrier:
    """Calls until a row has its outcome; the collaborators come in as arguments.

    `unanswered` says by key how often earlier processes sent a row without a whole answer, and
    `possible_costs` how many nanos that may have cost.
    `invalid` has by key the latest answers that are of no use, of rows that are to be asked again.
    `on_attempt` hears of each attempt; `read` finds in an answer what the job wants, where that is
    more than its text.
    """

    admission: Admission
    judge: Judge
    policy: RetryPolicy
    pricing: Pricing
    on_attempt: OnAttempt
    _: KW_ONLY
    fallback: Fallback = NO_FALLBACK
    unanswered: Mapping[str, int] = field(default_factory=dict)
    possible_costs: Mapping[str, int] = field(default_factory=dict)
    invalid: Mapping[str, InvalidAnswer] = field(default_factory=dict)
    read: Read | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    uniform: Uniform = random.uniform
    request_id: Callable[[], str] = _new_request_id

    async def settle(self, request: Request, put: Put) -> None:
        """Call until `request` has its outcome, and hand that to `put`.

        No permit is held between two attempts. The one of a completion is held until `put` has
        it, so that a kill never loses more completions than there are permits; but the lane has
        room again as soon as the endpoint has answered. An answer that does not hold what the job
        wants is handed to `put` too, and asked for again.

        Raises:
            RunStoppedError: the run cannot go on; the row stays pending.
        """
        row = self._begun(request)
        early = await self._checked_again(row)
        if early is None and (problem := self._forbidden(row)) is not None:
            early = row.failure(problem, self.clock())
        if early is not None:
            await put(early)
            return
        while not await self._answered(row, put):
            self._ask_again(row)

    async def _answered(self, row: Row, put: Put) -> bool:
        """Call until there is an answer, or no hope of one; return whether the row is settled."""
        try:
            return await self._attempt(row, put)
        except ProviderError as error:
            return await self._retry(row, put, error)

    async def _retry(self, row: Row, put: Put, error: ProviderError) -> bool:
        """Go on after a first attempt that ended in `error`, which tenacity takes for its own.

        Most rows need no second one, and its set-up costs as much as the engine's part of a call.
        """
        first: list[ProviderError] = [error]

        async def attempt() -> bool:
            if first:
                raise first.pop()
            return await self._attempt(row, put)

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(ProviderError),
            stop=lambda _: row.over,
            wait=lambda _: self._delay(row),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except ProviderError as last:
            await put(row.failure(last.problem, self.clock()))
            return True

    def row_of(self, request: Request) -> Row:
        """Return a row at its beginning, with what earlier processes paid for it."""
        models = self.fallback.models_for(str(request.body["model"]))
        return Row(
            request,
            self.unanswered.get(request.key, 0),
            models,
            self.pricing.currency(models[0]),
            self.possible_costs.get(request.key, 0),
            self.invalid.get(request.key) if self.read else None,
        )

    def _begun(self, request: Request) -> Row:
        row = self.row_of(request)
        self._weigh(row)
        return row

    def _weigh(self, row: Row) -> None:
        """Estimate what the present request of a row takes."""
        row.prompt = estimate_tokens(row.request.body)
        if self.admission.spending.is_limited:
            row.worst = {
                name: self.pricing.worst_case(_asking(row.request, name).body)
                for name in row.models
            }

    def _ask_again(self, row: Row) -> None:
        row.ask_again()
        self._weigh(row)

    def _forbidden(self, row: Row) -> Problem | None:
        """Say why a row must not be called at all, if so."""
        if self.policy.forbids_another(row.unanswered):
            return _SENT_TOO_OFTEN
        if row.invalid is not None:
            if row.invalid.repairs >= self.policy.repairs:
                return _invalid(row.invalid)
            self._ask_again(row)
        return next(filter(None, starmap(self._unbounded, row.worst.items())), None)

    def _unbounded(self, model: str, worst: Worst | None) -> Problem | None:
        """Say why no ceiling could be kept with such a call, if so."""
        if worst is not None and (worst.cost is not None or self.admission.spending.cost is None):
            return None
        return unbounded(model, has_bound=worst is not None)

    async def _attempt(self, row: Row, put: Put) -> bool:
        """Make one call; return whether the row is settled by its answer."""
        async with self.admission.admitted(self._wish(row)) as permit:
            model, account = permit.lane.model, permit.lane.account
            request = _asking(row.request, model)
            request_id, started_at, started = self.request_id(), self.clock(), self.monotonic()
            permit.attempt = request_id

            def finish(
                problem: Problem | None,
                completion: Completion | None = None,
                cost: int | None = None,
            ) -> None:
                latency = self.monotonic() - started
                attempt = Attempt(
                    *(len(row.attempts) + 1, request_id, started_at, latency, problem),
                    retry=row.failed_last,
                )
                row.attempts.append(attempt)
                wasted = possible_cost(self.pricing, request, problem)
                row.possible_cost += wasted
                self.on_attempt(Exchange(request, attempt, completion, cost, wasted))

            try:
                completion = await account.call(request, request_id)
            except ProviderError as error:
                finish(error.problem)
                self._failed(row, permit, error)
                raise
            except asyncio.CancelledError:
                finish(_STOPPED)
                raise
            cost = self.pricing.cost(model, completion.usage)
            finish(None, completion, cost)
            self.judge.completed(permit, completion, cost)
            self.admission.end(permit)
            try:
                kept = await self._taken(row, completion, cost)
            except asyncio.CancelledError:
                # It came, and is paid; the next process looks at it.
                await put(row.take(completion, _UNCHECKED, cost))
                raise
            await put(kept)
            return not isinstance(kept, InvalidAnswer)

    async def _taken(self, row: Row, completion: Completion, cost: int | None) -> Kept:
        """Return what an answer means for its row: an outcome, or that it is asked again."""
        try:
            output = await value_of(completion, self.read)
        except InvalidAnswerError as error:
            invalid = row.take(completion, str(error), cost)
            if row.repairs < self.policy.repairs:
                return invalid
            return row.failure(_invalid(invalid), self.clock())
        return row.success(completion, self.clock(), cost, output)

    async def _checked_again(self, row: Row) -> Outcome | None:
        """Return the outcome of a row whose last answer turns out to be of use after all.

        An earlier process may have been stopped before it had checked it.
        """
        if row.invalid is None:
            return None
        try:
            output = await value_of(row.invalid.completion, self.read)
        except InvalidAnswerError as error:
            row.invalid = replace(row.invalid, message=str(error))
            return None
        return row.redeemed(self.clock(), output)

    def _wish(self, row: Row) -> Wish:
        body = row.request.body
        longest = body.get("max_tokens", body.get("max_completion_tokens"))
        down_too = ErrorClass.OVERLOADED in self.fallback.on
        models = row.models if down_too else row.models[:1]
        worst = [found for model in models if (found := row.worst.get(model)) is not None]
        return Wish(
            models,
            row.prompt,
            longest if isinstance(longest, int) else None,
            Bill(
                max((one.tokens for one in worst), default=0),
                max((one.cost or 0 for one in worst), default=0),
            ),
            tries=row.failed,
            last_chance=self.policy.forbids_another(row.unanswered + 1),
        )

    def _failed(self, row: Row, permit: Permit, error: ProviderError) -> None:
        """Draw the consequences of the attempt that just failed."""
        error_class = error.problem.error_class
        if not may_be_billed(error.problem):
            permit.spent = NOTHING
        row.unanswered += error_class is ErrorClass.AMBIGUOUS
        of_endpoint = error_class in _OF_THE_ENDPOINT
        telling = of_endpoint or row.counted < SUSPECT
        verdict = self.judge.failed(permit, error, telling=telling)
        answers = sum(lane.answers for lane in self.admission.lanes(permit.lane.model))
        is_own = not of_endpoint or answers > row.answers_seen
        row.answers_seen = answers
        left = row.models[row.models.index(permit.lane.model) + 1 :]
        falls_back = error_class in self.fallback.on and bool(left)
        if falls_back:
            row.models, row.answers_seen = left, -1
        else:
            row.counted += verdict.counts and is_own
        row.at_once = falls_back or verdict.at_once
        row.over = (
            (error_class.rule.action is Action.FAIL_ROW and not falls_back)
            or row.counted >= self.policy.max_attempts
            or self.policy.forbids_another(row.unanswered)
        )

    def _delay(self, row: Row) -> float:
        """Return the seconds until the next attempt: full jitter."""
        if row.at_once:
            return 0.0
        return self.uniform(0, min(MAX_BACKOFF_S, 2.0 ** min(row.failed, 10)))


def _asking(request: Request, model: str) -> Request:
    """Return the request, put to `model`; its key stays, for it is the row's."""
    if request.body["model"] == model:
        return request
    return request._replace(body={**request.body, "model": model})


def _invalid(answer: InvalidAnswer) -> Problem:
    return Problem(ErrorClass.INVALID_OUTPUT, answer.message)
