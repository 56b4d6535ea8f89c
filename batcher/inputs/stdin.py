"""Standard input, kept as a file."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from batcher.errors import InputError, StorageError
from batcher.inputs.files import InputFile, compression_of
from batcher.inputs.spool import STDIN, fresh, keeping, newest

_CHUNK = 1 << 20


def spool_stdin(stdin: BinaryIO, directory: Path) -> InputFile:
    """Copy `stdin` into `directory`, readable by its owner only.

    Where `stdin` is a terminal or has nothing to say, the copy of an earlier start is used; a new
    copy takes its place only when `keep_spooled` says so. What comes packed is kept so.

    Raises:
        InputError: there is nothing to read and no earlier copy, or Parquet was piped in.
        StorageError: the copy cannot be written, or an earlier one not read.
    """
    spooled = directory / STDIN
    head = b"" if stdin.isatty() else stdin.read(_CHUNK)
    if not head:
        compression = compression_of(_start(spooled), "standard input")
    else:
        compression = compression_of(head, "standard input")
        with fresh(spooled, "standard input") as file:
            while head:
                with keeping("standard input"):
                    file.write(head)
                    head = stdin.read(_CHUNK)
        spooled = newest(spooled, "standard input")
    return InputFile(spooled, "stdin", "jsonl", compression)


def _start(spooled: Path) -> bytes:
    """Return the first bytes of what an earlier start kept."""
    try:
        with spooled.open("rb") as file:
            return file.read(_CHUNK)
    except FileNotFoundError:
        raise InputError(
            "standard input is empty; pipe JSON Lines into it, or name a file"
        ) from None
    except OSError as error:
        raise StorageError(f"cannot read what was kept of standard input: {error}") from None
