"""All input files as one sequence of rows, numbered from 0 through all files in order."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pyarrow as pa

from batcher.errors import InputError
from batcher.inputs.columns import Column, Inference, schema
from batcher.inputs.files import InputFile
from batcher.inputs.interface import Reader
from batcher.inputs.jsonl import JsonlReader
from batcher.inputs.lines import count_lines
from batcher.inputs.parquet import ParquetReader
from batcher.records import Failure, Mark, Prompt
from batcher.storage import Address, GivenUpError, Stop, brought, entries_at, never

# Bytes at either end of a file that its fingerprint covers.
_ENDS = 64 << 10
_FRONT = Mark(row=0, file=0, line=1, offset=0)


def _forget(_: Mark) -> None:
    pass


def _left(stop: int | None, mark: Mark) -> int | None:
    """Return how many rows there are from `mark` to before the row `stop`; None is no end."""
    return None if stop is None else stop - mark.row


@dataclass(frozen=True, slots=True)
class Dataset:
    """The rows of `files`; `id_column` names them, and `clock` stamps those that are failures.

    Where files lie at URLs, every method raises StorageError where they cannot be read now, and
    GivenUpError once `stop` says that nobody waits for them any more.
    """

    files: tuple[InputFile, ...]
    id_column: str | None
    clock: Callable[[], float] = time.time
    stop: Stop = never

    @property
    def names(self) -> list[str]:
        """The files as the user gave them."""
        return [file.name for file in self.files]

    def fingerprint(self) -> str:
        """Return a hash that changes when the files do; cheap, since only their ends are read.

        Of files at URLs nothing is asked again that was told when they were found: it is a hash of
        that moment.

        Raises:
            InputError: a file cannot be read.
        """
        facts = [[file.name, *_facts(file)] for file in self._seen().files]
        text = msgspec.json.encode([self.id_column, facts])
        return hashlib.blake2b(text, digest_size=16).hexdigest()

    def content(self) -> tuple[int, str]:
        """Count the rows, and return a hash of what is in the files, whatever they are called here.

        All bytes of JSON Lines are read, once for both where they are not compressed; of Parquet,
        whose end says what is in it, the ends. Of files at URLs, which are the same from
        everywhere, the store says when they were changed.

        Raises:
            InputError: a file cannot be read.
        """
        digest = hashlib.blake2b(msgspec.json.encode(self.id_column), digest_size=16)
        rows = 0
        for file in self._seen().files:
            digest.update(f"{file.format} {file.compression} ".encode())
            if file.format == "jsonl" and isinstance(file.place, Path) and not file.compression:
                whole = hashlib.blake2b()
                rows += count_lines(file, self.stop, whole.update)
                digest.update(whole.digest())
                continue
            rows += self._reader(file).count(self.stop)
            if isinstance(file.place, Address):
                digest.update(msgspec.json.encode(_facts(file)))
            elif file.format == "parquet":
                size, _, ends = _facts(file)
                digest.update(f"{size} {ends}".encode())
            else:
                digest.update(_digest(file))
        return rows, digest.hexdigest()

    def looked_at(self) -> Dataset:
        """Return it with what the stores say of its files now.

        Raises:
            InputError: one at a URL is gone.
        """
        remote = [file.place for file in self.files if isinstance(file.place, Address)]
        entries = dict(zip(remote, entries_at(remote, self.stop), strict=True))
        files = []
        for file in self.files:
            seen = None
            if isinstance(file.place, Address) and (seen := entries[file.place]) is None:
                raise InputError(f"no such file: {file.name}")
            files.append(replace(file, seen=seen))
        return replace(self, files=tuple(files))

    def rows(
        self, start: Mark | None = None, on_mark: Callable[[Mark], object] | None = None
    ) -> Generator[Prompt | Failure, None, None]:
        """Yield the rows, from the first one or from `start` on; memory stays flat.

        `on_mark` is told of a place to start again, about every 4,096 rows (JSON Lines) or at
        each row group (Parquet), before the row at that place is yielded. For every mark,
        `rows(mark)` are the last rows of `rows()`.

        Raises:
            InputError: a file cannot be read, or is damaged or cut short; the rows before stand.
        """
        mark = start or _FRONT
        for number, reader in self._readers(mark.file):
            row = yield from reader.rows(mark, on_mark or _forget)
            mark = Mark(row, number + 1, line=1, offset=0)

    def batches(
        self, stop: int | None = None, start: Mark | None = None
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Return the same rows for the export: row, id, source_*, and the struct `input`.

        All of them, or those from `start` on and before the row `stop`: nothing else is read.

        The user's columns stand in the order of their first appearance. Parquet columns keep
        their types; those of JSON Lines, which are read once more for it, get the smallest that
        hold all values. Where there is none, each value is its JSON text. The struct of a row
        that could not be read is null. `source_text` is the start of the line, or of such a row.

        Raises:
            InputError: a file cannot be read, or there are more than 1,000 columns.
        """
        inference = Inference()
        first = start or _FRONT
        mark = first
        for number, reader in self._readers(first.file):
            row = mark.row + reader.infer(inference, mark, _left(stop, mark))
            mark = Mark(row, number + 1, line=1, offset=0)
        columns = inference.columns()
        return schema(columns), self._batches(columns, first, stop)

    def place(self, row: int) -> Mark:
        """Return where `row` stands; nothing is parsed. Behind the last row, that is the end.

        Raises:
            InputError: a file cannot be read.
        """
        mark = _FRONT
        while mark.row < row and mark.file < len(self.files):
            mark = self._reader(self.files[mark.file]).place(mark, row)
        return mark

    def count(self, stop: Stop = never, start: Mark | None = None) -> int:
        """Count the rows, without parsing any; too few where `stop` says to stop.

        Those before `start` are not read: it tells how many they are.

        Raises:
            InputError: a file cannot be read.
        """
        mark = start or _FRONT
        counting = replace(self, stop=stop)
        with contextlib.suppress(GivenUpError):
            for number, reader in counting._readers(mark.file):  # noqa: SLF001 -- itself
                if stop():
                    break
                mark = Mark(mark.row + reader.count(stop, mark), number + 1, line=1, offset=0)
        return mark.row

    def _seen(self) -> Dataset:
        is_seen = (file.seen or isinstance(file.place, Path) for file in self.files)
        return self if all(is_seen) else self.looked_at()

    def _batches(
        self, columns: Sequence[Column], mark: Mark, stop: int | None
    ) -> Iterator[pa.RecordBatch]:
        for number, reader in self._readers(mark.file):
            row = yield from reader.batches(mark, columns, _left(stop, mark))
            mark = Mark(row, number + 1, line=1, offset=0)

    def _readers(self, first: int) -> Iterator[tuple[int, Reader]]:
        """Yield the files from the number `first` on, by their numbers; small ones at hand."""
        files = self.files[first:]
        held = brought([file.seen for file in files], self.stop)
        for number, (file, content) in enumerate(zip(files, held, strict=True), first):
            yield number, self._reader(replace(file, held=content))

    def _reader(self, file: InputFile) -> Reader:
        if file.format == "parquet":
            return ParquetReader(file, self.id_column, self.clock, self.stop)
        return JsonlReader(file, self.id_column, self.clock, stop=self.stop)


def _digest(file: InputFile) -> bytes:
    """Return a hash of all bytes of `file`."""
    try:
        with file.path.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").digest()
    except OSError as error:
        raise InputError(f"cannot read {file.name}: {error.strerror or error}") from None


def _facts(file: InputFile) -> tuple[int | None, int | None, str]:
    """Return the size of `file`, when it was changed, and a hash of its ends.

    No ends of one at a URL, which would be two requests for each.
    """
    if file.seen is not None:
        return file.seen.size, file.seen.changed_ns, ""
    try:
        with file.path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            ends = hashlib.blake2b(stream.read(_ENDS), digest_size=16)
            stream.seek(max(0, status.st_size - _ENDS))
            ends.update(stream.read(_ENDS))
    except OSError as error:
        raise InputError(f"cannot read {file.name}: {error.strerror or error}") from None
    return status.st_size, status.st_mtime_ns, ends.hexdigest()
