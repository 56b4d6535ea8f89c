"""One output as a file, or as a row of files of bounded size: its partitions.

Partition 7 of 12 is called `results-00007-of-00012.parquet`, counted from 0. So the names sort in
the order of the rows, tell whether one is missing, and one pattern finds all of an export.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from batcher.errors import OutputError, StorageError
from batcher.outputs.interface import Sink, StartSink
from batcher.outputs.publication import Draft, Publication, writing

_NUMBER = r"-[0-9]{5,}-of-[0-9]{5,}"


@dataclass(frozen=True, slots=True)
class Naming:
    """What the files of an output are called: `stem`, its number if partitioned, and `suffix`.

    A folder may stand in `stem`.
    """

    stem: str
    suffix: str
    is_partitioned: bool

    def name(self, number: int, total: int) -> str:
        """Return the name of partition `number` of `total`."""
        if not self.is_partitioned:
            return f"{self.stem}{self.suffix}"
        return f"{self.stem}-{number:05}-of-{total:05}{self.suffix}"

    def draft(self, number: int) -> str:
        """Return what a partition is called while nobody knows how many there will be."""
        mark = f"-{number:05}" if self.is_partitioned else ""
        return f"{self.stem}{mark}{self.suffix}"

    def pattern(self, total: int) -> str:
        """Return the name of the one file, or the pattern that finds all `total`."""
        if not self.is_partitioned:
            return self.name(0, total)
        return f"{self.stem}-*-of-{total:05}{self.suffix}"

    def may_be(self, name: str) -> bool:
        """Whether a file of an earlier export can have `name`: that of any number of partitions."""
        number = _NUMBER if self.is_partitioned else ""
        return (
            re.fullmatch(re.escape(self.stem) + number + re.escape(self.suffix), name) is not None
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a partition holds at most: rows, and bytes in memory, which a batch may exceed."""

    rows: int | None = None
    bytes: int | None = None


class Partitions:
    """Takes batches in row order and divides them among the files of one output.

    As a context it has a first file, with a row or without; left without an exception, all files
    are complete and have their names, but are not published. `files` are their paths until then.
    """

    def __init__(
        self, publication: Publication, naming: Naming, bounds: Bounds, start: StartSink
    ) -> None:
        self.rows = 0
        self.bytes = 0
        self._publication = publication
        self._naming = naming
        self._bounds = bounds
        self._start = start
        self._drafts: list[Draft] = []
        self._rows_left: int | None = None
        self._bytes_until: int | None = None
        self._sink: Sink
        self._open: contextlib.ExitStack

    @property
    def path(self) -> Path:
        """Where the files are, once published: the path of the one, or a pattern for all."""
        return self._publication.directory / self._naming.pattern(len(self._drafts))

    @property
    def files(self) -> list[Path]:
        """Where the files are now."""
        return [draft.temporary for draft in self._drafts]

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of `batch` after all rows before.

        Raises:
            OutputError: another file cannot be created.
            StorageError: the files cannot take them.
        """
        start = 0
        while start < batch.num_rows:
            if self._is_full:
                self._end()
                self._begin()
            piece = batch.slice(start, self._rows_left)
            with _translated(self._drafts[-1].target):
                self._sink.write(piece)
            start += piece.num_rows
            self.rows += piece.num_rows
            self.bytes += piece.nbytes
            if self._rows_left is not None:
                self._rows_left -= piece.num_rows

    @property
    def _is_full(self) -> bool:
        full = self._bytes_until is not None and self.bytes >= self._bytes_until
        return full or self._rows_left == 0

    def _begin(self) -> None:
        draft = self._publication.draft(self._naming.draft(len(self._drafts)))
        self._drafts.append(draft)
        self._rows_left = self._bounds.rows
        most = self._bounds.bytes
        self._bytes_until = None if most is None else self.bytes + most
        with contextlib.ExitStack() as stack:
            try:
                with writing(draft.target):
                    self._sink = stack.enter_context(self._start(draft.file))
            except pa.ArrowException as error:
                raise OutputError(
                    f"cannot create {draft.target}: {error}; --format jsonl holds any column"
                ) from error
            self._open = stack.pop_all()

    def _end(self) -> None:
        with _translated(self._drafts[-1].target):
            self._open.close()
        self._drafts[-1].settle()

    def __enter__(self) -> Self:
        """Open the first file.

        Raises:
            OutputError: it cannot be created, or its format cannot hold a type of the schema.
        """
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the files, or leave the last one as it is."""
        if kind is not None:
            self._open.__exit__(kind, error, trace)
            return
        self._end()
        if self._naming.is_partitioned:
            self._publication.supersede(self._naming.may_be)
        for number, draft in enumerate(self._drafts):
            draft.target = self._publication.directory / self._naming.name(
                number, len(self._drafts)
            )


@contextlib.contextmanager
def _translated(target: Path) -> Iterator[None]:
    """Translate what goes wrong while rows go into `target`."""
    try:
        with writing(target):
            yield
    except pa.ArrowException as error:
        raise StorageError(
            f"cannot write {target}: {error}; --format jsonl holds any value"
        ) from error
