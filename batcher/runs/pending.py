"""The requests that a run would call: not those that are done, nor those that others answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from batcher.cache import Cache
from batcher.checkpoint import Placement
from batcher.inputs import Dataset
from batcher.records import Failure, Request
from batcher.runs.prepare import Preparation
from batcher.runs.previous import Previous
from batcher.runs.reuse import cached
from batcher.runs.selection import Selection

# Requests that are looked for in the checkpoint at a time.
_BATCH = 512


@dataclass(slots=True)
class Pending:
    """Reads the selected rows of an input, and counts their records by what follows for them.

    `bad` ones cannot be called, `done` ones have their outcome in `previous`, and `shared` ones ask
    what another record asks, or what the cache has the answer to.
    """

    prepare: Preparation
    selection: Selection
    previous: Previous | None = None
    cache: Cache | None = None
    total: int = 0
    bad: int = 0
    done: int = 0
    shared: int = 0

    def requests(self, dataset: Dataset) -> Iterator[Request]:
        """Yield the requests to be called, in their order.

        Raises:
            InputError: a file cannot be read.
        """
        records = self._records(dataset)
        with Placement.alone() as placement:
            while batch := list(islice(records, _BATCH)):
                yield from self._called(batch, placement)

    def _called(self, batch: Sequence[Request], placement: Placement) -> Iterator[Request]:
        previous, row_of = self.previous, self.selection.row_of
        keys = previous.keys(batch) if previous else set()
        ids = previous.earlier_ids(batch) if previous else {}
        answered = self._answered(batch)
        for request in batch:
            first, _ = ids.get(request.id, (request.row, ""))
            if placement.place(request) is not None or row_of(first) < row_of(request.row):
                self.bad += 1
            elif request.key in keys:
                self.done += 1
            elif request.content is not None and (
                placement.asks_again(request.content) or request.content in answered
            ):
                self.shared += 1
            else:
                yield request

    def _records(self, dataset: Dataset) -> Iterator[Request]:
        """Yield the requests of rows that are not done, as far as their numbers tell."""
        selection = self.selection
        done = self.previous.done if self.previous else None
        start = dataset.place(selection.start) if selection.start else None
        if self.previous and done is not None and selection.drawn is None:
            done.add_range(0, selection.start * selection.samples)
            start = self.previous.start(selection.row_of(done.first_missing())) or start
            skipped = max(0, start.row - selection.start) if start else 0
            self.total = self.done = skipped * selection.samples
        for item in dataset.rows(start):
            if selection.is_over(item.row):
                return
            if item.row not in selection:
                continue
            numbers = selection.records(item.row)
            self.total += len(numbers)
            left = [number for number in numbers if done is None or number not in done]
            self.done += len(numbers) - len(left)
            for record in self.prepare.records(item) if left else ():
                if isinstance(record, Failure):
                    self.bad += record.row in left
                elif record.row in left:
                    yield record

    def _answered(self, requests: Iterable[Request]) -> set[str]:
        """Return the contents of those requests that any row, or the cache, has an answer to."""
        contents = list({request.content for request in requests if request.content is not None})
        if not contents:
            return set()
        answered = self.previous.answered(contents) if self.previous else set()
        return answered | cached(self.cache, [one for one in contents if one not in answered])
