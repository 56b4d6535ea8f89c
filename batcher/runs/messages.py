"""The messages that were sent for some rows, rendered once more from the input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batcher.checkpoint import CheckpointReader
from batcher.errors import BatcherError
from batcher.recorded import Recorded
from batcher.records import Failure, Prompt, Request
from batcher.render import shortened
from batcher.runs.prepare import Preparation
from batcher.runs.remembered import Remembered
from batcher.runs.rows import unchanged
from batcher.runs.stopping import Check

# Rows that are read for it at most; in a large input there are some thousand before each wanted
# one where reading may start.
_READ = 500_000

ByRow = Mapping[int, Sequence[Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages by the number of the record; `missing` says why some are not there, if so.

    Images are told of by their type and size.
    """

    by_row: ByRow
    missing: str | None

    @classmethod
    def of(
        cls,
        checkpoint: CheckpointReader,
        outcomes: Iterable[Recorded],
        check: Check,
        most: int = _READ,
    ) -> Messages:
        """Render the rows of `outcomes` again, as far as the input is as it was.

        At most so many rows of it are read; `check` is called before each.
        """
        wanted = {one.row: one.key for one in outcomes if one.key is not None}
        by_row: dict[int, Sequence[Mapping[str, object]]] = {}
        try:
            complete = _render(checkpoint, wanted, by_row, check, most)
        except BatcherError as error:
            return cls(by_row, str(error))
        return cls(by_row, None if complete else "It would take long to read all of them.")


def _render(
    checkpoint: CheckpointReader,
    wanted: Mapping[int, str],
    by_row: dict[int, Sequence[Mapping[str, object]]],
    check: Check,
    left: int,
) -> bool:
    """Fill `by_row`; return whether the rows to be read were no more than `left`."""
    run = Remembered(checkpoint)
    dataset = unchanged(checkpoint, run.dataset)
    prepare = Preparation.recalled(run.job)
    rows, at = dataset.rows(), 0
    try:
        for row in sorted({record // prepare.samples for record in wanted}):
            mark = checkpoint.mark_before(row)
            if mark is not None and mark.row > at:
                rows.close()
                rows, at = dataset.rows(mark), mark.row
            for item in rows:
                check()
                at, left = item.row + 1, left - 1
                if item.row == row:
                    by_row |= _messages(prepare, item, wanted)
                if at > row or not left:
                    break
            if not left:
                return False
    finally:
        # An error of the disk in this is one of reading; of a generator that is only forgotten,
        # Python would print it.
        rows.close()
    return True


def _messages(
    prepare: Preparation, item: Prompt | Failure, wanted: Mapping[int, str]
) -> dict[int, Sequence[Mapping[str, object]]]:
    """Return the messages of those records of a row that are wanted, and were sent like this."""
    found: dict[int, Sequence[Mapping[str, object]]] = {}
    for request in prepare.records(item):
        if isinstance(request, Request) and wanted.get(request.row) == request.key:
            messages: Any = shortened(request.body)["messages"]
            found[request.row] = messages
    return found
