"""Standard input, kept as a file: a run that resumes must find its input again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from batcher.errors import InputError, StorageError
from batcher.inputs.files import InputFile, compression_of

SPOOLED = "stdin.jsonl"
_FRESH = f"{SPOOLED}.new"
_CHUNK = 1 << 20


def spool_stdin(stdin: BinaryIO, directory: Path) -> InputFile:
    """Copy `stdin` into `directory`, readable by its owner only.

    Where `stdin` is a terminal or has nothing to say, the copy of an earlier start is used; a new
    copy takes its place only when `keep_spooled` says so. What comes packed is kept so.

    Raises:
        InputError: there is nothing to read and no earlier copy, or Parquet was piped in.
        StorageError: the copy cannot be written, or an earlier one not read.
    """
    spooled = directory / SPOOLED
    head = b"" if stdin.isatty() else stdin.read(_CHUNK)
    if not head:
        compression = compression_of(_start(spooled), "standard input")
    else:
        compression = compression_of(head, "standard input")
        try:
            spooled = directory / _FRESH
            _copy(head, stdin, spooled)
        except OSError as error:
            raise StorageError(f"cannot keep standard input: {error}") from None
    return InputFile(spooled, "stdin", "jsonl", compression)


def keep_spooled(file: InputFile) -> InputFile:
    """Let a fresh copy of standard input take the place of an earlier one; return it there.

    Raises:
        StorageError: it cannot be renamed.
    """
    if file.path.name != _FRESH:
        return file
    try:
        path = file.path.replace(file.path.with_name(SPOOLED))
    except OSError as error:
        raise StorageError(f"cannot keep standard input: {error}") from None
    return replace(file, path=path)


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


def _copy(head: bytes, stdin: BinaryIO, target: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
        chunk = head
        while chunk:
            file.write(chunk)
            chunk = stdin.read(_CHUNK)
        file.flush()
        os.fsync(file.fileno())
