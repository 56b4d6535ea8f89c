"""The values that flow from an input line to a row of output, each frozen once made.

    Prompt -> Request -> Completion -> Success | Failure

Rows are numbered from 0 through all input files in order; lines from 1 within their file.
Moments are Unix seconds (UTC), durations seconds.

What is made for every row that is read is a NamedTuple: a frozen dataclass takes five times as
long to make, as much as the reading itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

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


class Pending(NamedTuple):
    """A row that was called and has no outcome: its key, and what finds it under another number."""

    key: str
    id: str
    sample: int
    source: str


class Request(NamedTuple):
    """What is asked for a row. `body` holds model, messages and parameters; never stream or ids.

    `key` is the idempotency key of the checkpoint: a hash of id, messages, model and parameters,
    and of `sample` beyond the first. `size` is about how many bytes its JSON has. `content` is a
    hash of what is asked (body and sample), the same for all rows that ask the same; None where
    nobody looks for it.

    From here on `row` is the number of a record: with `samples` answers to each input row, that of
    input row r and sample s is r * samples + s.
    """

    row: int
    id: str
    key: str
    body: Mapping[str, object]
    source: Source
    size: int = 0
    sample: int = 0
    content: str | None = None

    @property
    def pending(self) -> Pending:
        """The row, as one that was called and has no outcome yet."""
        return Pending(self.key, self.id, self.sample, str(self.source))


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

    @property
    def size(self) -> int:
        """The characters of its texts."""
        return length(self.text, self.reasoning, self.tool_calls)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call: numbered from 1 within its row, with the problem it ended in, if any.

    It is a `retry` if the one before failed; else it is the first, or asks for a better answer.
    """

    number: int
    request_id: str
    started_at: float
    latency: float
    problem: Problem | None = None
    retry: bool = False


class Exchange(NamedTuple):
    """A call that has ended: what was sent, in which attempt, and what came of it.

    `request` is that of a repair or a fallback where the call was one; its row, id and key are the
    row's. `completion` is the answer, if one came whole, and `cost` its price in nanos, None where
    that is unknown; `possible_cost` is the most that a call without an answer can have cost.
    """

    request: Request
    attempt: Attempt
    completion: Completion | None = None
    cost: int | None = None
    possible_cost: int = 0


class AnsweredBy(StrEnum):
    """Where a row's answer comes from: a call of its own, another row's call, or the cache."""

    CALL = "call"
    DUPLICATE = "duplicate"
    CACHE = "cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What success and failure of a row have in common.

    It was asked again `repairs` times, since its answers were of no use. `answered_before` counts
    calls of earlier processes whose answer was of no use, and `unanswered_before` those that were
    sent and not answered whole. `content` and `sample` are the request's.

    `cost` is what its answers cost, None where that is unknown, and `possible_cost` the most that
    its unanswered calls can have, those of earlier processes among them: both in nanos of
    `currency` (None where no price is known).
    """

    unanswered_before: int = 0
    answered_before: int = 0
    cost: int | None = None
    possible_cost: int = 0
    currency: str | None = None
    repairs: int = 0
    answered_by: AnsweredBy = AnsweredBy.CALL
    content: str | None = None
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Success(Ending):
    """A row that has its completion, whose usage is that of all its answers.

    `output` is the JSON text of the value that it holds, where the job wants one of a schema.
    """

    row: int
    id: str
    key: str
    completion: Completion
    attempts: tuple[Attempt, ...]
    finished_at: float
    source: Source
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Failure(Ending):
    """A row that ended in an error; `key` is None where no request could be made of it.

    `completion` is the last answer, where there was one that the job cannot use, with the usage of
    all of them.
    """

    row: int
    id: str
    key: str | None
    problem: Problem
    attempts: tuple[Attempt, ...]
    finished_at: float
    source: Source
    completion: Completion | None = None


Outcome = Success | Failure


@dataclass(frozen=True, slots=True)
class InvalidAnswer:
    """A row's latest answer that does not hold what the job wants; the row is asked again.

    `message` says what is wrong with it, and `repairs` how often the row had been asked again when
    it came: so there were `repairs` such answers before. `completion` has the usage of all of them,
    and `cost` is what they cost in nanos, None where that is unknown. `of` is the row, where it is
    at hand.
    """

    key: str
    completion: Completion
    message: str
    repairs: int = 0
    cost: int | None = None
    of: Pending | None = field(default=None, compare=False)

    @property
    def answers(self) -> int:
        """How many answers the row had, this one among them."""
        return self.repairs + 1


Kept = Outcome | InvalidAnswer
"""What is written down while a call still holds its permit."""

# Of fewer characters no fuss is made.
_LONG = 64 * 1024


def length(*texts: str | None) -> int:
    """Return how many characters there are in the texts that there are."""
    return sum(len(text) for text in texts if text)


def without_long_texts(kept: Kept) -> Kept:
    """Return what is written down with all that counts but its texts, if they are long.

    It may be kept for long where the disk is slow.
    """
    completion = kept.completion
    if completion is None or completion.size < _LONG:
        return kept
    lean = replace(completion, text=None, reasoning=None, tool_calls=None)
    return replace(kept, completion=lean)


def duplicate_id(row_id: str, source: object, earlier: object) -> Problem:
    """Say why a row at `source` has no answer, whose id names the row at `earlier` already."""
    message = f"the id {row_id!r} of {source} already names the row at {earlier}"
    return Problem(ErrorClass.DUPLICATE_ID, message)


class Unanswered(NamedTuple):
    """A call that was sent and not answered whole: its row's key, and the most it can have cost.

    `of` tells more of the row, as in `InvalidAnswer`.
    """

    key: str
    cost: int
    of: Pending | None = None
