"""What is kept of outcomes: a row of the checkpoint, and the sums over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from batcher.errors import ErrorClass
from batcher.records import (
    AnsweredBy,
    Attempt,
    Completion,
    Failure,
    Outcome,
    Success,
    Usage,
    length,
)


class Recorded(NamedTuple):
    """A row's outcome as the checkpoint keeps it: the one list of its columns.

    Exactly the rows with an `error_class` are errors; they have a response where one came that the
    job cannot use. `ambiguous_attempts` were sent and not answered whole, so they may have been
    billed. `finished_at` is in microseconds since 1970 UTC, `latency_s` the seconds of the last
    attempt, `request_id` that attempt's, `source` the row's file and line as text. `cost` and
    `possible_cost` are in nanos of `currency`; the rest is as in `Request` and `Success`.
    """

    row: int
    id: str
    key: str | None
    attempts: int
    ambiguous_attempts: int
    latency_s: float | None
    finished_at: int
    request_id: str | None
    source: str | None = None
    response: str | None = None
    reasoning: str | None = None
    tool_calls: str | None = None
    finish_reason: str | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    error_class: str | None = None
    code: str | None = None
    http_status: int | None = None
    message: str | None = None
    cost: int | None = None
    possible_cost: int = 0
    currency: str | None = None
    output: str | None = None
    repairs: int = 0
    answered_by: str = AnsweredBy.CALL.value
    content: str | None = None
    sample: int = 0

    @property
    def size(self) -> int:
        """The characters of its answer."""
        return length(self.response, self.reasoning, self.tool_calls, self.output)


def record(outcome: Outcome) -> Recorded:
    """Flatten an outcome into what the checkpoint keeps of it."""
    last = outcome.attempts[-1] if outcome.attempts else None
    shared = (
        outcome.row,
        outcome.id,
        outcome.key,
        outcome.answered_before + len(outcome.attempts),
        outcome.unanswered_before + sum(map(_is_ambiguous, outcome.attempts)),
        last.latency if last else None,
        round(outcome.finished_at * 1_000_000),
        last.request_id if last else None,
        str(outcome.source),
    )
    completion = outcome.completion or _NO_ANSWER
    usage = completion.usage
    kept = Recorded(
        *shared,
        response=completion.text,
        reasoning=completion.reasoning,
        tool_calls=completion.tool_calls,
        finish_reason=completion.finish_reason or None,
        model=completion.model or None,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost=outcome.cost,
        possible_cost=outcome.possible_cost,
        currency=outcome.currency,
        repairs=outcome.repairs,
        answered_by=outcome.answered_by.value,
        content=outcome.content,
        sample=outcome.sample,
    )
    match outcome:
        case Success(output=output):
            return kept if output is None else kept._replace(output=output)
        case Failure(problem=problem):
            return kept._replace(
                error_class=problem.error_class.value,
                code=problem.code,
                http_status=problem.http_status,
                message=problem.message,
            )
        case _:
            assert_never(outcome)


_NO_ANSWER = Completion(None, None, None, "", "", Usage())


def _is_ambiguous(attempt: Attempt) -> bool:
    return attempt.problem is not None and attempt.problem.error_class is ErrorClass.AMBIGUOUS


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over a run, however often it was resumed.

    `ambiguous_attempts` were sent and not answered whole, those of pending rows among them.
    `repairs` are answers that were asked for again, since those before were of no use to the job.
    `killed_calls` is how many more can have been in flight when processes were killed, and
    `cut_short` how often a copy was gone on with that a process had made on its way: what that one
    called afterwards is in no sum.
    Of the results, `duplicates` have the answer of another row's call, and `cached` one of the
    cache.

    `cost` is what all answers cost, as far as it is known (of `unpriced` results it is not), and
    `possible_cost` the most that the unanswered calls can have, those of pending rows among them:
    in nanos of `currency`, by the prices of `priced_by`; both None where no price is known.
    """

    results: int
    truncated: int
    errors: Mapping[ErrorClass, int]
    attempts: int
    ambiguous_attempts: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    repairs: int = 0
    killed_calls: int = 0
    cut_short: int = 0
    cost: int = 0
    possible_cost: int = 0
    unpriced: int = 0
    currency: str | None = None
    priced_by: str | None = None
    duplicates: int = 0
    cached: int = 0

    @property
    def rows(self) -> int:
        """Rows that have an outcome."""
        return self.results + self.error_rows

    @property
    def called(self) -> int:
        """Results that a call of their own brought."""
        return self.results - self.duplicates - self.cached

    @property
    def hit_rate(self) -> float:
        """The share of the results that come from the cache."""
        return self.cached / self.results if self.results else 0.0

    @property
    def has_cost(self) -> bool:
        """Whether the price of any call of the run is known."""
        priced = self.unpriced != self.results or self.cost or self.possible_cost
        return self.currency is not None and bool(priced)

    @property
    def tokens(self) -> int:
        """Tokens that went in and came out."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def most_cost(self) -> int:
        """The most that all calls can have cost, those without an answer among them."""
        return self.cost + self.possible_cost

    @property
    def error_rows(self) -> int:
        """Rows whose outcome is an error."""
        return sum(self.errors.values())


NOTHING_YET = Counts(0, 0, {}, 0, 0, 0, 0, 0, 0)
"""The sums over a run that has not begun."""
