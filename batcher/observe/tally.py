"""What this process has seen so far: a fold over attempts and outcomes, flat in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import assert_never

from batcher.errors import ErrorClass, Problem
from batcher.magnitudes import Magnitudes
from batcher.recorded import NOTHING_YET, Counts
from batcher.records import Exchange, Failure, Outcome, Source, Success


@dataclass(slots=True)
class Tally:
    """Counts since this process started; `done_before` rows were recorded by earlier ones.

    `total` are the rows of the input, `chosen` those that are called, where the others are not.
    `earlier` are the sums over the run before this process. `cost` and `possible_cost`, in nanos of
    the run's currency, are those of its calls, and `failed_attempts` counts these by what they
    ended in. `first_failures` are by class where the first one was, and what.
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
    cost: int = 0
    possible_cost: int = 0
    earlier: Counts = NOTHING_YET
    failed_attempts: Counter[ErrorClass] = field(default_factory=Counter)
    classes: Counter[ErrorClass] = field(default_factory=Counter)
    first_failures: dict[ErrorClass, tuple[Source, Problem]] = field(default_factory=dict)
    _latencies: Magnitudes = field(default_factory=Magnitudes)

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

    def found(self) -> None:
        """Count a row whose outcome an earlier process recorded, though under no row."""
        self.done_before += 1

    def attempted(self, exchange: Exchange) -> None:
        """Count an attempt that has ended."""
        self.attempts += 1
        self.retries += exchange.attempt.retry
        self.cost += exchange.cost or 0
        self.possible_cost += exchange.possible_cost
        if (problem := exchange.attempt.problem) is not None:
            self.failed_attempts[problem.error_class] += 1

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
            case Failure(problem=problem, source=source):
                self.failures += 1
                self.classes[problem.error_class] += 1
                self.first_failures.setdefault(problem.error_class, (source, problem))
            case _:
                assert_never(outcome)

    def latency(self, share: float) -> float | None:
        """Return the latency in seconds that `share` of the called results had at most, or None."""
        return self._latencies.quantile(share)
