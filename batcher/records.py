"""The values that flow from an input line to a row of output, each frozen once made.

    Prompt -> Request -> Completion -> Success | Failure -> Recorded

Rows are numbered from 0 through all input files in order; lines from 1 within their file.
Moments are Unix seconds (UTC), durations seconds.

What is made for every row that is read is a NamedTuple: a frozen dataclass takes five times as
long to make, as much as the reading itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, assert_never

from batcher.errors import ErrorClass, Problem
from batcher.limits import RateLimits


class Source(NamedTuple):
    """Where a row came from: `line` is the 1-based line (JSONL) or row (Parquet) in `file`.

    `text` is the start of the line, kept only for rows that could not be read.
    """

    file: str
    line: int
    text: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place where reading may start: before `row`, which is `line` of the file numbered `file`.

    `offset` counts decompressed bytes (JSONL) or rows (Parquet) from the start of that file.
    """

    row: int
    file: int
    line: int
    offset: int


class Prompt(NamedTuple):
    """One input row: its columns as plain Python values, and the id that names it."""

    row: int
    id: str
    columns: Mapping[str, object]
    source: Source


class Request(NamedTuple):
    """What is asked for a row. `body` holds model, messages and parameters; never stream or ids.

    `key` is the idempotency key of the checkpoint: a hash of id, messages, model and parameters.
    `size` is about how many bytes its JSON has.
    """

    row: int
    id: str
    key: str
    body: Mapping[str, object]
    source: Source
    size: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None where its answer did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's answer.

    `tool_calls` is JSON text; `request_id` is the provider's own, where it sent one. What is left
    of its limits came with the answer, but is no part of it: neither compared nor recorded.
    """

    text: str | None
    reasoning: str | None
    tool_calls: str | None
    finish_reason: str
    model: str
    usage: Usage
    request_id: str | None = None
    rate_limits: RateLimits | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call: numbered from 1 within its row, with the problem it ended in, if any."""

    number: int
    request_id: str
    started_at: float
    latency: float
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Success:
    """A row that has its completion.

    `unanswered_before` counts calls of earlier processes that were sent and not answered whole.
    `cost` is what its answers cost, None where that is unknown, and `possible_cost` the most that
    its unanswered calls can have, those of earlier processes among them: both in nanos of
    `currency` (None where no price is known).
    """

    row: int
    id: str
    key: str
    completion: Completion
    attempts: tuple[Attempt, ...]
    finished_at: float
    source: Source
    unanswered_before: int = 0
    cost: int | None = None
    possible_cost: int = 0
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that ended in an error; `key` is None where no request could be made of it.

    `unanswered_before` and what it cost are as in `Success`.
    """

    row: int
    id: str
    key: str | None
    problem: Problem
    attempts: tuple[Attempt, ...]
    finished_at: float
    source: Source
    unanswered_before: int = 0
    cost: int | None = None
    possible_cost: int = 0
    currency: str | None = None


Outcome = Success | Failure

# Of fewer characters no fuss is made.
_LONG = 64 * 1024


def without_long_texts(outcome: Outcome) -> Outcome:
    """Return an outcome that is written down with all that counts but its texts, if they are long.

    It may be kept for long where the disk is slow.
    """
    if not isinstance(outcome, Success):
        return outcome
    completion = outcome.completion
    texts = (completion.text, completion.reasoning, completion.tool_calls)
    if sum(len(text) for text in texts if text) < _LONG:
        return outcome
    lean = replace(completion, text=None, reasoning=None, tool_calls=None)
    return replace(outcome, completion=lean)


Unanswered = tuple[str, int]
"""A call that was sent and not answered whole: its row's key, and the most it can have cost."""


class Recorded(NamedTuple):
    """A row's outcome as the checkpoint keeps it: the one list of its columns.

    Exactly the rows with an `error_class` are errors. `ambiguous_attempts` were sent and not
    answered whole, so they may have been billed. `finished_at` is in microseconds since 1970 UTC,
    `latency_s` the seconds of the last attempt, `request_id` that attempt's, `source` the row's
    file and line as text. `cost` and `possible_cost` are in nanos of `currency`, see `Success`.
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


def record(outcome: Outcome) -> Recorded:
    """Flatten an outcome into what the checkpoint keeps of it."""
    last = outcome.attempts[-1] if outcome.attempts else None
    shared = (
        outcome.row,
        outcome.id,
        outcome.key,
        len(outcome.attempts),
        outcome.unanswered_before + sum(map(_is_ambiguous, outcome.attempts)),
        last.latency if last else None,
        round(outcome.finished_at * 1_000_000),
        last.request_id if last else None,
        str(outcome.source),
    )
    match outcome:
        case Success(completion=completion):
            usage = completion.usage
            return Recorded(
                *shared,
                response=completion.text,
                reasoning=completion.reasoning,
                tool_calls=completion.tool_calls,
                finish_reason=completion.finish_reason,
                model=completion.model,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cached_tokens=usage.cached_tokens,
                reasoning_tokens=usage.reasoning_tokens,
                cost=outcome.cost,
                possible_cost=outcome.possible_cost,
                currency=outcome.currency,
            )
        case Failure(problem=problem):
            return Recorded(
                *shared,
                error_class=problem.error_class.value,
                code=problem.code,
                http_status=problem.http_status,
                message=problem.message,
                cost=outcome.cost,
                possible_cost=outcome.possible_cost,
                currency=outcome.currency,
            )
        case _:
            assert_never(outcome)


def _is_ambiguous(attempt: Attempt) -> bool:
    return attempt.problem is not None and attempt.problem.error_class is ErrorClass.AMBIGUOUS


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over a run, however often it was resumed.

    `ambiguous_attempts` were sent and not answered whole, those of pending rows among them.
    `killed_calls` is how many more can have been in flight when processes were killed.

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
    killed_calls: int = 0
    cost: int = 0
    possible_cost: int = 0
    unpriced: int = 0
    currency: str | None = None
    priced_by: str | None = None

    @property
    def rows(self) -> int:
        """Rows that have an outcome."""
        return self.results + self.error_rows

    @property
    def error_rows(self) -> int:
        """Rows whose outcome is an error."""
        return sum(self.errors.values())
