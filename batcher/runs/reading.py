"""Records, read some at a time in a thread, with what the checkpoint knows of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from batcher.checkpoint import Checkpoint
from batcher.errors import InputError, StorageError
from batcher.executors import LocalExecutor
from batcher.records import Failure, Request, Source
from batcher.runs.selection import Selection
from batcher.storage import GivenUpError

_T = TypeVar("_T")

# Rows read in one visit to the thread, unless the pool is narrower or they are large.
_READ = 64
_READ_BYTES = 1024 * 1024


class Batch(NamedTuple):
    """Records that were read together, and which ids are `recorded` already, and where.

    `aside` are the keys of those that were paid before, and whose outcome is set aside.
    """

    records: list[Request | Failure]
    recorded: Mapping[str, tuple[int, str]]
    aside: frozenset[str]


@dataclass(slots=True)
class Reading:
    """Reads for `executor`, and knows the ids that are in hand.

    `unread` says why no more could be read.
    """

    checkpoint: Checkpoint
    executor: LocalExecutor
    thread: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "reader"))
    unread: InputError | StorageError | None = None
    _in_hand: dict[str, tuple[int, Source]] = field(default_factory=dict)
    _settled: list[str] = field(default_factory=list)

    async def next(self, records: Iterator[Request | Failure | None]) -> Batch | None:
        """Read the next records; None where there are none.

        Only now ids leave that were recorded meanwhile, so that each earlier row is either still
        in hand or found in the checkpoint.
        """
        for row_id in self._settled:
            self._in_hand.pop(row_id, None)
        self._settled.clear()
        return await self.in_thread(lambda: self._read(records))

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """Do `work` where records are read, so not meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)

    def take(self, request: Request) -> None:
        """Take a request in hand, with its id."""
        self._in_hand[request.id] = request.row, request.source

    def settle(self, row_id: str) -> None:
        """Hear that the row with this id is recorded."""
        self._settled.append(row_id)

    def earlier(self, request: Request, batch: Batch, selection: Selection) -> str | None:
        """Where another row with the same id stands: still in hand, or recorded.

        It need not stand before this one: a run may begin with rows that were drawn.
        """
        found = self._in_hand.get(request.id) or batch.recorded.get(request.id)
        if found is None:
            return None
        record, source = found
        row_of = selection.row_of
        return None if row_of(record) == row_of(request.row) else str(source)

    def _read(self, records: Iterator[Request | Failure | None]) -> Batch | None:
        batch: list[Request | Failure] = []
        most, size = min(_READ, self.executor.width), 0
        try:
            for prepared in records:
                if prepared is not None:
                    size += prepared.size if isinstance(prepared, Request) else 0
                    batch.append(prepared)
                # A long way over rows that are done must not hold up the end of the run.
                if len(batch) == most or size >= _READ_BYTES or self.executor.stopping.is_set():
                    break
        except GivenUpError:
            return None
        except (InputError, StorageError) as error:
            # Heeded once all that was read so far is called.
            self.unread = error
        if not batch:
            return None
        requests = [prepared for prepared in batch if isinstance(prepared, Request)]
        recorded = self.checkpoint.first_with_ids([request.id for request in requests])
        aside = self.checkpoint.set_aside([request.key for request in requests])
        return Batch(batch, recorded, frozenset(aside))
