"""A JSON Lines file as numbered lines: plain or compressed, from its start or from a place."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from batcher.errors import InputError, StorageError
from batcher.inputs.files import InputFile, compression_of, reason_of
from batcher.storage import Address, RemoteReader, Stop, never

# A longer line is no prompt; it must not fill the memory.
MAX_LINE = 64 << 20
_CHUNK = 1 << 20
# Of a file that is cut short, this much before the cut may be lost.
_UNPACKED = 64 << 10
# As many bytes as tell how a file is packed.
_HEAD = 4
_BOM = b"\xef\xbb\xbf"


Hear = Callable[[bytes], object]


def _nothing(_: bytes) -> None:
    pass


class Line(NamedTuple):
    """A line that is not blank, without its line end.

    `number` counts from 1, blank lines too; `offset` is that of its first byte, decompressed.
    Of a line that is not `whole`, being too long, `content` is only the start.
    """

    number: int
    offset: int
    content: bytes
    whole: bool


class _Reached(NamedTuple):
    """So many `rows` stand before the line `number`, which begins at `offset`."""

    rows: int
    number: int
    offset: int


def read_lines(
    file: InputFile,
    number: int = 1,
    offset: int = 0,
    longest: int = MAX_LINE,
    stop: Stop = never,
) -> Generator[Line, None, None]:
    r"""Yield the lines of `file` from line `number` at `offset` on, split at b"\n" alone.

    Other characters that Unicode takes for line ends may stand raw in JSON (protocol.md
    section 2). A byte order mark is dropped. Lines of more than `longest` bytes are not whole.

    Raises:
        InputError: the file cannot be read, or is damaged or cut short; names file and line.
        StorageError: it lies at a URL that cannot be read now; the same.
        GivenUpError: `stop` says that nobody waits for it.
    """
    try:
        with _opened(file, offset, stop) as stream:
            while raw := stream.readline(longest + 1):
                start = offset
                offset += len(raw)
                whole = len(raw) <= longest or raw.endswith(b"\n")
                if not whole:
                    raw = raw[:_CHUNK]
                    offset += _rest_of_line(stream)
                if start == 0:
                    raw = raw.removeprefix(_BOM)
                content = raw.rstrip(b"\r\n")
                if content and not content.isspace():
                    yield Line(number, start, content, whole)
                number += 1
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {file.name}, line {number}: {reason_of(error)}") from None
    except StorageError as error:
        raise StorageError(f"{error}, at line {number}") from None


def count_lines(file: InputFile, stop: Stop, hear: Hear = _nothing, offset: int = 0) -> int:
    """Count the lines that `read_lines` would yield; too few where `stop` says to stop.

    Those before `offset`, where one begins, are not among them.

    `hear` is told all that is read, decompressed.

    Raises:
        InputError: the file cannot be read, or is damaged or cut short; names it.
        StorageError: it lies at a URL that cannot be read now.
        GivenUpError: `stop` said so while it was waited for.
    """
    rows = 0
    with closing(_skimmed(file, stop, hear, offset)) as reached:
        for here in reached:
            rows = here.rows
            if stop():
                break
    return rows


def find_line(file: InputFile, row: int, stop: Stop) -> Line | int:
    """Return the line of that `row`, from 0; where there are fewer rows, how many there are.

    Raises:
        InputError, StorageError, GivenUpError: see `count_lines`.
    """
    before = _Reached(0, number=1, offset=0)
    with closing(_skimmed(file, stop)) as reached:
        for here in reached:
            if here.rows > row:
                break
            before = here
        else:
            return before.rows
    with closing(read_lines(file, before.number, before.offset, stop=stop)) as lines:
        return next(islice(lines, row - before.rows, None), before.rows)


def _skimmed(
    file: InputFile, stop: Stop, hear: Hear = _nothing, start: int = 0
) -> Generator[_Reached, None, None]:
    """Yield how far each piece of `file` has brought us, and at last how many rows there are.

    Rows and line numbers count from `start`, where a line begins.
    """
    rows, number, offset, end, begun = 0, 1, start, start, False
    try:
        with _opened(file, start, stop) as stream:
            while chunk := stream.read(_CHUNK):
                hear(chunk)
                pieces = (chunk if end else chunk.removeprefix(_BOM)).split(b"\n")
                end += len(chunk)
                filled = [bool(piece.strip()) for piece in pieces]
                filled[0] |= begun
                begun = filled.pop()
                if filled:
                    rows += sum(filled)
                    number += len(filled)
                    offset = end - len(pieces[-1])
                yield _Reached(rows, number, offset)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {file.name}: {reason_of(error)}") from None
    yield _Reached(rows + begun, number, offset)


def _opened(file: InputFile, offset: int, stop: Stop) -> BinaryIO:
    """Open `file` at `offset`; where it is compressed, all before is decompressed, unparsed."""
    compression, raw = file.compression, _remote(file, stop)
    if raw is not None:
        compression = compression or compression_of(raw.read(_HEAD), file.name)
        raw.seek(0)
    if compression is None:
        plain = raw or file.path.open("rb", buffering=0)
        stream = io.BufferedReader(plain, _CHUNK)
        stream.seek(offset)
        return stream
    size = file.path.stat().st_size if raw is None else raw.seek(0, io.SEEK_END)
    if size == 0:
        raise InputError(f"{file.name} is empty, so it is no {compression} file")
    if raw is not None:
        raw.seek(0)
    # Arrow's file has all that a buffer needs of a raw file.
    unpacked: Any = pa.input_stream(raw or str(file.path), compression=compression)
    stream = io.BufferedReader(unpacked, _UNPACKED)
    while offset > 0 and (skipped := stream.read(min(offset, _CHUNK))):
        offset -= len(skipped)
    return stream


def _remote(file: InputFile, stop: Stop) -> Any:  # noqa: ANN401 -- a raw file
    """Return what reads a file at a URL; None of one that is on this machine."""
    if file.held is not None:
        return io.BytesIO(file.held)
    if isinstance(file.place, Address):
        return RemoteReader(file.place, ahead=True, stop=stop)
    return None


def _rest_of_line(stream: BinaryIO) -> int:
    """Read past the end of the line; return the bytes that were left of it."""
    size = 0
    while piece := stream.readline(_CHUNK):
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    return size
