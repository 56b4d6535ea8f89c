"""A JSON Lines file as numbered lines: plain or compressed, from its start or from a place."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from batcher.errors import InputError
from batcher.inputs.files import InputFile

# A longer line is no prompt; it must not fill the memory.
MAX_LINE = 64 << 20
_CHUNK = 1 << 20
# Of a file that is cut short, this much before the cut may be lost.
_UNPACKED = 64 << 10
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line that is not blank, without its line end.

    `number` counts from 1, blank lines too; `offset` is that of its first byte, decompressed.
    Of a line that is not `whole`, being too long, `content` is only the start.
    """

    number: int
    offset: int
    content: bytes
    whole: bool


def read_lines(
    file: InputFile, number: int = 1, offset: int = 0, longest: int = MAX_LINE
) -> Generator[Line, None, None]:
    r"""Yield the lines of `file` from line `number` at `offset` on, split at b"\n" alone.

    Other characters that Unicode takes for line ends may stand raw in JSON (protocol.md
    section 2). A byte order mark is dropped. Lines of more than `longest` bytes are not whole.

    Raises:
        InputError: the file cannot be read, or is damaged or cut short; names file and line.
    """
    try:
        with _opened(file, offset) as stream:
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
        raise InputError(f"cannot read {file.name}, line {number}: {_reason(error)}") from None


def count_lines(file: InputFile, stop: Callable[[], bool]) -> int:
    """Count the lines that `read_lines` would yield; too few where `stop` says to stop.

    Raises:
        InputError: the file cannot be read, or is damaged or cut short; names it.
    """
    lines, begun = 0, False
    try:
        with _opened(file, 0) as stream:
            chunk = stream.read(_CHUNK).removeprefix(_BOM)
            while chunk and not stop():
                filled = [bool(piece.strip()) for piece in chunk.split(b"\n")]
                filled[0] |= begun
                begun = filled.pop()
                lines += sum(filled)
                chunk = stream.read(_CHUNK)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {file.name}: {_reason(error)}") from None
    return lines + begun


def _reason(error: OSError | pa.ArrowException) -> str:
    # Arrow's messages tell of its own sources in further lines.
    return getattr(error, "strerror", None) or str(error).partition("\n")[0]


def _opened(file: InputFile, offset: int) -> BinaryIO:
    """Open `file` at `offset`; where it is compressed, all before is decompressed, unparsed."""
    if file.compression is None:
        stream: BinaryIO = file.path.open("rb", buffering=_CHUNK)
        stream.seek(offset)
        return stream
    if file.path.stat().st_size == 0:
        raise InputError(f"{file.name} is empty, so it is no {file.compression} file")
    # Arrow's file has all that a buffer needs of a raw file.
    raw: Any = pa.input_stream(str(file.path), compression=file.compression)
    stream = io.BufferedReader(raw, _UNPACKED)
    while offset > 0 and (skipped := stream.read(min(offset, _CHUNK))):
        offset -= len(skipped)
    return stream


def _rest_of_line(stream: BinaryIO) -> int:
    """Read past the end of the line; return the bytes that were left of it."""
    size = 0
    while piece := stream.readline(_CHUNK):
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    return size
