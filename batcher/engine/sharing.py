"""Rows that ask the same: one of them leads and is called, the others take its outcome.

`Request.content` says which rows ask the same; one without it is called for itself.

Of rows that ask the same, no second one is called while the first may still be answered, nor after
it was. For from the moment a row leads, which is the one it was looked for in vain, it can be found
at each moment in at least one of three places:

    leading   until its outcome is written into the checkpoint;
    written   from then on, until the next look into the checkpoint begins (`looking`);
    recorded  by any look that begins after that.

So whoever takes up a row asks in this order: does one lead, then it is followed; was an answer
written since the last look, then one more look is needed; and only then, was one found. All of this
happens on the loop, with nothing in between but that look; and only one takes up rows, so that no
row can come to lead meanwhile.

An outcome that is an error answers those that wait for it, and nobody else: a row that comes later
asks again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import assert_never

from batcher.engine.admission import RowPendingError
from batcher.engine.repair import joined, total_cost
from batcher.engine.row import Row
from batcher.records import AnsweredBy, Failure, Outcome, Request, Success, Usage


@dataclass(slots=True, eq=False)
class _Leader:
    """A row that is called; once it has `ended`, its outcome, or None if it stays pending."""

    row: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """A request that is not called: its outcome is `found`, or that of a row under way."""

    request: Request
    found: Outcome | _Leader

    @property
    def size(self) -> int:
        """About how many bytes are held for it: those of an answer under way are its leader's."""
        known = None if isinstance(self.found, _Leader) else self.found.completion
        return self.request.size + (known.size if known else 0)

    async def outcome(self) -> Outcome:
        """Return the outcome that the row shares, when it is there.

        Raises:
            RowPendingError: the leading row stays pending, and so does this one.
        """
        if not isinstance(self.found, _Leader):
            return self.found
        await self.found.ended.wait()
        if self.found.outcome is None:
            raise RowPendingError
        return self.found.outcome


class Leaders:
    """The rows that are called for all that ask the same."""

    def __init__(self) -> None:
        """Begin with none."""
        self._leading: dict[str, _Leader] = {}
        self._written: set[str] = set()

    def lead(self, request: Request) -> None:
        """Let a row lead that is about to be called."""
        if request.content is not None:
            self._leading[request.content] = _Leader(request.row)

    def followed_by(self, request: Request) -> Shared | None:
        """Return `request` as one that waits for the row that leads, if one does."""
        leader = self._leading.get(request.content or "")
        return None if leader is None else Shared(request, leader)

    def has_written(self, content: str) -> bool:
        """Whether an answer was written into the checkpoint since the last look began."""
        return content in self._written

    def looking(self) -> None:
        """Take note that a look into the checkpoint begins."""
        self._written.clear()

    def wrote(self, outcome: Outcome) -> None:
        """Hand on the outcome of a row that leads: it is written down."""
        leader = self._leading.pop(outcome.content or "", None)
        if leader is not None:
            leader.outcome = outcome
            leader.ended.set()
            if isinstance(outcome, Success) and outcome.content is not None:
                self._written.add(outcome.content)

    def left(self, request: Request) -> None:
        """Take note that a row is not under way any more; without an outcome it stays pending."""
        leader = self._leading.get(request.content or "")
        # Behind one that ended in an error the next may lead already.
        if leader is not None and leader.row == request.row:
            del self._leading[request.content or ""]
            leader.ended.set()


def shared_outcome(outcome: Outcome, row: Row, now: float) -> Outcome:
    """Return `outcome`, which came by another call or from a cache, as that of `row`.

    It cost nothing, so that sums are what was paid; but for what earlier processes paid for this
    very row.
    """
    completion = outcome.completion and replace(outcome.completion, usage=Usage(), request_id=None)
    mine: Outcome
    match outcome:
        case Success(output=output):
            assert completion is not None  # noqa: S101 -- a success has one
            mine = row.success(completion, now, 0, output)
        case Failure(problem=problem):
            mine = replace(
                row.failure(problem, now),
                cost=total_cost(0, row.invalid),
                completion=completion and joined(completion, row.invalid),
            )
        case _:
            assert_never(outcome)
    cached = outcome.answered_by is AnsweredBy.CACHE
    return replace(mine, answered_by=AnsweredBy.CACHE if cached else AnsweredBy.DUPLICATE)
