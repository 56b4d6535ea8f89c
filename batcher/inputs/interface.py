"""What a kind of input file offers: its rows, from its start or from a place within."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

import pyarrow as pa

from batcher.inputs.columns import Column, Inference
from batcher.records import Failure, Mark, Prompt

# The start of a row that could not be read, in characters.
TEXT = 200


class Reader(Protocol):
    """Reads one file, as often as asked.

    Every method raises InputError where the file cannot be read, or is damaged or cut short;
    what it gave before stays valid.
    """

    def rows(
        self, start: Mark, on_mark: Callable[[Mark], object]
    ) -> Generator[Prompt | Failure, None, int]:
        """Yield the rows from `start` on, and return the number of the row after the last.

        `on_mark` is told of a place to start again, now and then, before its row is yielded.
        """

    def infer(self, inference: Inference, start: Mark, rows: int | None = None) -> int:
        """Tell `inference` of the columns of the rows from `start` on: of all, or of so many.

        Returns how many that is.
        """

    def batches(
        self, start: Mark, columns: Sequence[Column], rows: int | None = None
    ) -> Generator[pa.RecordBatch, None, int]:
        """Yield the rows from `start` on for the export, or so many of them.

        Returns the number of the row after the last.
        """

    def place(self, front: Mark, row: int) -> Mark:
        """Return where `row` stands; `front` is the file's start.

        Where the file ends before it, that is the start of the next one.
        """

    def count(self, stop: Callable[[], bool], start: Mark | None = None) -> int:
        """Count the rows, or those from `start` on, without reading them.

        Too few where `stop` says to stop.
        """
