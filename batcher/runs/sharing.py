"""Rows that need no call, since the same was asked before: by this run, or by one of the cache."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from batcher.cache import Cache
from batcher.checkpoint import CheckpointReader
from batcher.engine.sharing import Shared
from batcher.executors import LocalExecutor
from batcher.records import AnsweredBy, Completion, Failure, Outcome, Request, Success, Usage
from batcher.structured import InvalidAnswerError

# Characters of answers that are taken along for a batch of rows.
_MOST = 1024 * 1024


class _Found(NamedTuple):
    """Answers by the content of the requests, and the contents that were not looked for."""

    answers: Mapping[str, Outcome] = {}
    unseen: frozenset[str] = frozenset()


@dataclass(slots=True)
class Sharing:
    """Looks up answers for the rows of a batch, and lets rows follow those that lead.

    That no row is called twice is shown in engine/sharing.py. `in_reader` runs a look in the thread
    that reads the checkpoint. An answer counts only if the job can use it: what it wants of them
    may have changed since.
    """

    checkpoint: CheckpointReader
    cache: Cache | None
    executor: LocalExecutor
    allow_empty: bool
    in_reader: Callable[[Callable[[], _Found]], Awaitable[_Found]]
    _found: _Found = field(default_factory=_Found)

    async def look(self, rows: Sequence[Request | Failure]) -> None:
        """Look for the answers of rows that are about to be taken up, in their order."""
        requests: dict[str, Request] = {}
        for row in rows:
            if isinstance(row, Request) and row.content is not None:
                requests.setdefault(row.content, row)
        self._found = _Found()
        if requests:
            self.executor.leaders.looking()
            self._found = await self.in_reader(lambda: self._look(requests))

    async def shared(self, rows: Sequence[Request | Failure], at: int) -> Shared | None:
        """Return the row `at` of the batch as one that needs no call, if it needs none.

        Else it must lead before another row is taken up.
        """
        request = rows[at]
        if isinstance(request, Failure) or request.content is None:
            return None
        content = request.content
        leaders = self.executor.leaders
        # First, for another run may have put its answer into the cache meanwhile.
        if following := leaders.followed_by(request):
            return following
        if content in self._found.unseen or leaders.has_written(content):
            await self.look(rows[at:])
        found = self._found.answers.get(content)
        return None if found is None else Shared(request, found)

    def _look(self, requests: Mapping[str, Request]) -> _Found:
        """Look into the checkpoint, then into the cache for what it does not have."""
        recorded, unseen = self.checkpoint.answers(tuple(requests), _MOST)
        answers = {
            content: answer
            for content, row in recorded.items()
            if (
                answer := self._usable(
                    requests[content],
                    Completion(
                        *(row.response, row.reasoning, row.tool_calls),
                        *(row.finish_reason or "", row.model or "", Usage()),
                    ),
                    AnsweredBy(row.answered_by),
                )
            )
        }
        left = [content for content in requests if content not in {*recorded, *unseen}]
        if self.cache is not None and left:
            kept, missed = self.cache.find(left, _MOST)
            unseen = [*unseen, *missed]
            for content, completion in kept.items():
                if answer := self._usable(requests[content], completion, AnsweredBy.CACHE):
                    answers[content] = answer
        return _Found(answers, frozenset(unseen))

    def _usable(
        self, request: Request, completion: Completion, answered_by: AnsweredBy
    ) -> Outcome | None:
        output = None
        # As of a call: an empty answer counts only if the job says so.
        whole = completion.text or completion.tool_calls or completion.finish_reason == "length"
        if not (whole or self.allow_empty):
            return None
        read = self.executor.retrier.read
        if read is not None:
            try:
                output = read(completion.text or "")
            except InvalidAnswerError:
                return None
        return Success(
            *(request.row, request.id, request.key, completion, (), 0.0, request.source),
            output=output,
            answered_by=answered_by,
            content=request.content,
        )
