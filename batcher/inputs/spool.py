"""Rows that came in no file of the user's, kept as one: a run that resumes must find its input."""

from __future__ import annotations

import contextlib
import filecmp
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from batcher.errors import StorageError
from batcher.inputs.files import InputFile

STDIN = "stdin.jsonl"
ROWS_JSONL = "spooled.jsonl"
ROWS_PARQUET = "spooled.parquet"
SPOOLED = frozenset({STDIN, ROWS_JSONL, ROWS_PARQUET})
"""What copies are called in a run directory; one of them is in use."""

_FRESH = ".new"


@contextlib.contextmanager
def fresh(spooled: Path, name: str) -> Iterator[BinaryIO]:
    """Open a new copy beside `spooled`, readable by its owner only, for the length of the block.

    It is on the disk when the block ends, and gone if the block fails.

    Raises:
        StorageError: it cannot be opened or synced; tells of `name`.
    """
    path = _fresh(spooled)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with keeping(name):
        file = os.fdopen(os.open(path, flags, 0o600), "wb")
    try:
        yield file
        with keeping(name):
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        # What is left to write can fail once more.
        with contextlib.suppress(OSError):
            file.close()


@contextlib.contextmanager
def keeping(name: str) -> Iterator[None]:
    """Tell the user what cannot be kept.

    Raises:
        StorageError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot keep {name}: {error}") from None


def newest(spooled: Path, name: str) -> Path:
    """Return the new copy beside `spooled`; or `spooled` itself where both say the same.

    What did not change is then seen not to have changed without a look at any row.
    """
    path = _fresh(spooled)
    with keeping(name):
        if spooled.is_file() and filecmp.cmp(path, spooled, shallow=False):
            path.unlink()
            return spooled
    return path


def keep_spooled(file: InputFile) -> InputFile:
    """Let a fresh copy take the place of an earlier one, of whatever kind; return it there.

    Raises:
        StorageError: it cannot be renamed.
    """
    if not isinstance(file.place, Path) or file.place.suffix != _FRESH:
        return file
    with keeping(file.name):
        path = file.path.replace(file.path.with_suffix(""))
        for name in SPOOLED - {path.name}:
            path.with_name(name).unlink(missing_ok=True)
    return replace(file, place=path)


def _fresh(spooled: Path) -> Path:
    return spooled.with_name(spooled.name + _FRESH)
