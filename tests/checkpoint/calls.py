"""Calls of a test that counts them, whoever makes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint
from batcher.errors import ErrorClass, Problem
from batcher.records import Attempt, Completion, Failure, Kept, Request, Success, Usage

Work = Sequence[tuple[int, list[ErrorClass], bool]]
"""Which rows are called, how calls of each fail, and whether one is answered in the end.

An answer of no use is no problem of its call.
"""

_NO_USE = ErrorClass.INVALID_OUTPUT
_FAILED = st.sampled_from([ErrorClass.SERVER_ERROR, ErrorClass.AMBIGUOUS, _NO_USE])
WORK: st.SearchStrategy[Work] = st.lists(
    st.tuples(st.integers(0, 3), st.lists(_FAILED, max_size=2), st.booleans()), max_size=6
)


@dataclass
class Calls:
    """Every call that was ever made, by a number of its own; `whole` of them were answered."""

    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    made: int = 0
    whole: int = 0

    def attempt(self, number: int, error_class: ErrorClass | None) -> Attempt:
        """Make one."""
        call, self.made = next(self.numbers), self.made + 1
        problem = None
        if error_class not in (None, _NO_USE):
            problem = Problem(error_class, "it failed", "500", 500)
        self.whole += problem is None
        return Attempt(number, f"req-{call}", float(call), 0.5, problem)

    def outcome(self, request: Request, failures: Sequence[ErrorClass], *, well: bool) -> Kept:
        """Call a row until it is answered, or given up."""
        attempts = [self.attempt(n, one) for n, one in enumerate(failures, 1)]
        if well:
            attempts.append(self.attempt(len(attempts) + 1, None))
        place = (request.row, request.id, request.key)
        # No two outcomes end at the same moment.
        at = attempts[-1].started_at if attempts else float(next(self.numbers))
        whole = sum(attempt.problem is None for attempt in attempts)
        usage = Usage(10 * whole, 5 * whole, 3 * whole, 2 * whole)
        completion = Completion("fine", None, None, "stop", "m", usage)
        if well:
            return Success(*place, completion, (*attempts,), at, request.source)
        problem = Problem(ErrorClass.SERVER_ERROR, "it failed", "500", 500)
        answer = completion if whole else None
        return Failure(*place, problem, (*attempts,), at, request.source, completion=answer)


def worked(path: Path, calls: Calls, work: Work, rows: Sequence[Request]) -> None:
    """Call rows, as far as they have no result."""
    for n, failures, well in work:
        with Checkpoint.open(path) as checkpoint:
            done = {o.key for o in checkpoint.outcomes() if o.error_class is None}
            if rows[n].key not in done:
                checkpoint.write([calls.outcome(rows[n], failures, well=well)])


def brought_no_use(*works: Work) -> bool:
    """Whether any answer of these was of no use to the job."""
    return any(_NO_USE in failures for work in works for _, failures, _ in work)
