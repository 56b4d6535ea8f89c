"""What this process has seen so far: a fold over attempts and outcomes, flat in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import assert_never

from batcher.errors import ErrorClass
from batcher.observe.latencies import Latencies
from batcher.records import Attempt, Failure, Outcome, Success


@dataclass(slots=True)
class Tally:
    """Counts since this process started; `done_before` rows were recorded by earlier ones.

    `total` are the rows of the input, `chosen` those that are called, where the others are not.
    """

    done_before: int = 0
    total: int | None = None
    chosen: int | None = None
    results: int = 0
    failures: int = 0
    attempts: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    classes: Counter[ErrorClass] = field(default_factory=Counter)
    _latencies: Latencies = field(default_factory=Latencies)

    @property
    def rows(self) -> int:
        """Rows that got their outcome from this process."""
        return self.results + self.failures

    @property
    def goal(self) -> int | None:
        """Rows that have an outcome when all is done."""
        return self.total if self.chosen is None else self.chosen

    @property
    def left(self) -> int | None:
        """Rows that were to be called and have no outcome of this process."""
        return None if self.goal is None else max(0, self.goal - self.done_before - self.rows)

    def attempted(self, attempt: Attempt) -> None:
        """Count an attempt that has ended."""
        self.attempts += 1
        self.retries += attempt.retry

    def recorded(self, outcome: Outcome) -> None:
        """Count an outcome that is safe in the checkpoint."""
        if (completion := outcome.completion) is not None:
            self.prompt_tokens += completion.usage.prompt_tokens or 0
            self.completion_tokens += completion.usage.completion_tokens or 0
        match outcome:
            case Success(attempts=attempts):
                self.results += 1
                # An answer of another row has no latency of its own.
                if attempts:
                    self._latencies.add(attempts[-1].latency)
            case Failure(problem=problem):
                self.failures += 1
                self.classes[problem.error_class] += 1
            case _:
                assert_never(outcome)

    def latency(self, share: float) -> float | None:
        """Return the latency in seconds that `share` of the called results had at most, or None."""
        return self._latencies.quantile(share)
