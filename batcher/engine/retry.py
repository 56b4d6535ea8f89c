"""From single attempts to the outcome of a row, by tenacity.

One decision for each failed attempt: the class of its problem says whether and when to try again
(reliability.md section C).
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never, cast

import tenacity

from batcher.engine.limiter import Limiter
from batcher.errors import Action, ErrorClass, Problem, ProviderError
from batcher.records import Attempt, Completion, Failure, Outcome, Request, Success

MAX_BACKOFF_S = 60.0
MAX_AMBIGUOUS = 3
# Where the provider names a moment, a little later is safer: its clock is not ours.
RESET_MARGIN_S = 2.0


class RowPendingError(Exception):
    """The row has no outcome for now and stays pending."""


class RunStoppedError(RowPendingError):
    """No further call can succeed; `error` says why."""

    def __init__(self, error: ProviderError) -> None:
        """Stop because of `error`."""
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again. Times in seconds.

    A row ends after `max_attempts` counted failures, or after `max_ambiguous` calls that may have
    been billed. Where the provider names a wait longer than `max_wait`, the run stops instead.
    """

    max_attempts: int = 8
    max_ambiguous: int = MAX_AMBIGUOUS
    max_wait: float = 6 * 3600.0

    def gives_up(self, attempts: Sequence[Attempt], unanswered_before: int = 0) -> bool:
        """Whether the row of these failed attempts is not worth another.

        `unanswered_before` counts calls of earlier processes that may have been billed.
        """
        classes = _classes(attempts)
        counted = sum(error_class.rule.counts for error_class in classes)
        return (
            classes[-1].rule.action is Action.FAIL_ROW
            or counted >= self.max_attempts
            or self.forbids_another(unanswered_before + classes.count(ErrorClass.AMBIGUOUS))
        )

    def forbids_another(self, unanswered: int) -> bool:
        """Whether a row that was sent so often without a whole answer must not be sent again."""
        return unanswered >= self.max_ambiguous

    def stops_run(self, attempts: Sequence[Attempt], error: ProviderError, now: float) -> bool:
        """Whether every further call would end like the last one."""
        error_class = error.problem.error_class
        if error_class is ErrorClass.TOKEN_EXPIRED:
            # A token signed anew and refused again: the clock or the secret is wrong.
            return _classes(attempts)[-2:] == [ErrorClass.TOKEN_EXPIRED] * 2
        wait = _named_wait(error, now)
        match error_class.rule.action:
            case Action.RETRY:
                return wait is not None and wait > self.max_wait
            case Action.WAIT:
                return wait is None or wait > self.max_wait
            case Action.STOP_RUN:
                return True
            case Action.FAIL_ROW:
                return False
            case unreachable:
                assert_never(unreachable)

    def delay(self, failures: int, error: ProviderError, now: float, uniform: Uniform) -> float:
        """Return the seconds until the next attempt: full jitter, never before the provider's wish.

        `failures` is the number of failed attempts so far, at least 1.
        """
        backoff = uniform(0, min(MAX_BACKOFF_S, 2.0 ** min(failures, 10)))
        wait = _named_wait(error, now)
        return backoff if wait is None else max(backoff, wait) + uniform(0, wait / 10)


Uniform = Callable[[float, float], float]
Call = Callable[[Request, str], Awaitable[Completion]]
OnAttempt = Callable[[Request, Attempt], None]
Put = Callable[[Outcome], Awaitable[None]]

_STOPPED = Problem(ErrorClass.AMBIGUOUS, "the run stopped before the answer came")
_SENT_TOO_OFTEN = Problem(
    ErrorClass.AMBIGUOUS, "earlier runs sent it as often as allowed, and no whole answer came"
)


def _named_wait(error: ProviderError, now: float) -> float | None:
    """The seconds the provider asks to wait from `now` on: the longer one where it says two."""
    waits = [] if error.retry_after is None else [error.retry_after]
    if error.resets_at is not None:
        waits.append(max(0.0, error.resets_at.timestamp() - now) + RESET_MARGIN_S)
    return max(waits, default=None)


def _classes(attempts: Sequence[Attempt]) -> list[ErrorClass]:
    return [attempt.problem.error_class for attempt in attempts if attempt.problem]


def _new_request_id() -> str:
    # A fresh one for every attempt: request_id is no idempotency key (protocol.md section 1).
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class _Row:
    """A request on its way to an outcome, and what was tried for it."""

    request: Request
    unanswered_before: int
    attempts: list[Attempt] = field(default_factory=list)

    def success(self, completion: Completion, now: float) -> Success:
        of = self.request
        end = (tuple(self.attempts), now, of.source, self.unanswered_before)
        return Success(of.row, of.id, of.key, completion, *end)

    def failure(self, problem: Problem, now: float) -> Failure:
        of = self.request
        end = (tuple(self.attempts), now, of.source, self.unanswered_before)
        return Failure(of.row, of.id, of.key, problem, *end)


@dataclass(frozen=True, slots=True)
class Retrier:
    """Calls until a row has its outcome; the collaborators come in as arguments.

    `unanswered` says by key how often earlier processes sent a row without a whole answer.
    """

    call: Call
    limiter: Limiter
    policy: RetryPolicy
    renew: Callable[[], None]
    on_attempt: OnAttempt
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    unanswered: Mapping[str, int] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    uniform: Uniform = random.uniform
    request_id: Callable[[], str] = _new_request_id

    async def settle(self, request: Request, put: Put) -> None:
        """Call until `request` has its outcome, and hand that to `put`.

        No permit is held between two attempts; the one of a completion is held until `put` has
        it, so that a kill never loses more completions than there are permits.

        Raises:
            RunStoppedError: the run cannot go on; the row stays pending.
        """
        row = _Row(request, self.unanswered.get(request.key, 0))
        if self.policy.forbids_another(row.unanswered_before):
            await put(row.failure(_SENT_TOO_OFTEN, self.clock()))
            return
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(ProviderError),
            stop=lambda _: self.policy.gives_up(row.attempts, row.unanswered_before),
            wait=lambda state: self._delay(len(row.attempts), state),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            await retrying(self._attempt, row, put)
        except ProviderError as error:
            await put(row.failure(error.problem, self.clock()))

    async def _attempt(self, row: _Row, put: Put) -> None:
        request = row.request
        async with self.limiter.permit():
            request_id, started_at, started = self.request_id(), self.clock(), self.monotonic()

            def finish(problem: Problem | None) -> None:
                latency = self.monotonic() - started
                attempt = Attempt(len(row.attempts) + 1, request_id, started_at, latency, problem)
                row.attempts.append(attempt)
                self.on_attempt(request, attempt)

            try:
                completion = await self.call(request, request_id)
            except ProviderError as error:
                finish(error.problem)
                if self.policy.stops_run(row.attempts, error, self.clock()):
                    raise RunStoppedError(error) from error
                if error.problem.error_class is ErrorClass.TOKEN_EXPIRED:
                    self.renew()
                raise
            except asyncio.CancelledError:
                finish(_STOPPED)
                raise
            finish(None)
            await put(row.success(completion, self.clock()))

    def _delay(self, failures: int, state: tenacity.RetryCallState) -> float:
        error = cast("ProviderError", state.outcome and state.outcome.exception())
        return self.policy.delay(failures, error, self.clock(), self.uniform)
