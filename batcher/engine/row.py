"""A request on its way to an outcome, and what was tried for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypedDict

from batcher.engine.repair import SHOWN, asked_again, joined, total_cost
from batcher.errors import Problem
from batcher.providers import Worst
from batcher.records import (
    Attempt,
    Completion,
    Failure,
    InvalidAnswer,
    Request,
    Success,
)


class _Ending(TypedDict):
    unanswered_before: int
    answered_before: int
    possible_cost: int
    currency: str | None
    repairs: int
    content: str | None
    sample: int


@dataclass(slots=True)
class Row:
    """One row of the run, from its first call to its outcome.

    `request` is what is asked now: its `own`, or that for a better answer than `invalid`, the last
    one; it was asked again `repairs` times. `models` may still answer it, `prompt` estimates the
    tokens of what is asked, and `worst` is the most that each model may take, where there are
    ceilings. `counted` failures were its own, and the last one ended it (`over`), or it is tried
    again, at once or after a backoff.
    """

    own: Request
    unanswered_before: int
    models: tuple[str, ...]
    currency: str | None
    possible_cost: int
    invalid: InvalidAnswer | None = None
    prompt: int = 0
    worst: Mapping[str, Worst | None] = field(default_factory=dict)
    repairs: int = 0
    answered_before: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    counted: int = 0
    unanswered: int = 0
    answers_seen: int = -1
    over: bool = False
    at_once: bool = False
    request: Request = field(init=False)

    def __post_init__(self) -> None:
        self.request, self.unanswered = self.own, self.unanswered_before
        if self.invalid is not None:
            self.repairs, self.answered_before = self.invalid.repairs, self.invalid.answers

    @property
    def failed(self) -> int:
        """How many of its attempts have failed."""
        return sum(attempt.problem is not None for attempt in self.attempts)

    @property
    def failed_last(self) -> bool:
        """Whether its last attempt failed."""
        return bool(self.attempts) and self.attempts[-1].problem is not None

    def success(
        self, completion: Completion, now: float, cost: int | None, output: str | None
    ) -> Success:
        """Return the outcome of a row whose last answer cost so many nanos."""
        of = self.own
        return Success(
            *(of.row, of.id, of.key, joined(completion, self.invalid)),
            *(tuple(self.attempts), now, of.source),
            output=output,
            cost=total_cost(cost, self.invalid),
            **self._ending(),
        )

    def redeemed(self, now: float, output: str | None) -> Success:
        """Return the outcome of a row whose last answer, kept by an earlier process, is valid."""
        assert self.invalid is not None  # noqa: S101 -- that is the answer
        of, kept = self.own, self.invalid
        return Success(
            *(of.row, of.id, of.key, kept.completion, (), now, of.source),
            output=output,
            cost=kept.cost,
            **self._ending(),
        )

    def failure(self, problem: Problem, now: float) -> Failure:
        """Return the outcome of a row that gets no (valid) answer."""
        of = self.own
        return Failure(
            *(of.row, of.id, of.key, problem),
            *(tuple(self.attempts), now, of.source),
            completion=self.invalid.completion if self.invalid else None,
            cost=self.invalid.cost if self.invalid else None,
            **self._ending(),
        )

    def take(self, completion: Completion, message: str, cost: int | None) -> InvalidAnswer:
        """Take an answer that is invalid, for the reason of `message`."""
        self.invalid = InvalidAnswer(
            self.own.key,
            joined(completion, self.invalid),
            message,
            self.repairs,
            total_cost(cost, self.invalid),
            self.own.pending,
        )
        return self.invalid

    def ask_again(self) -> None:
        """Ask for a better answer than the last one, which was invalid."""
        assert self.invalid is not None  # noqa: S101 -- only then is there a reason
        self.request = asked_again(self.own, self.invalid)
        self.repairs = self.invalid.answers
        # It is written down whole; here no more of it is held than may be shown again.
        text = self.invalid.completion.text and self.invalid.completion.text[:SHOWN]
        lean = replace(self.invalid.completion, text=text, reasoning=None, tool_calls=None)
        self.invalid = replace(self.invalid, completion=lean)

    def _ending(self) -> _Ending:
        return {
            "unanswered_before": self.unanswered_before,
            "answered_before": self.answered_before,
            "possible_cost": self.possible_cost,
            "currency": self.currency,
            "repairs": self.repairs,
            "content": self.own.content,
            "sample": self.own.sample,
        }
