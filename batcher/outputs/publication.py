"""Files that appear whole or not at all.

Each is written as `.<name>.<random>.tmp` in its own directory, mode 0600, and takes its name only
after all of them are complete and on disk. Between the first and the last rename a loss of power
can leave a new file beside an old one; the next export makes both again.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from batcher.errors import OutputError, StorageError


@dataclass(frozen=True, slots=True)
class Draft:
    """A file being written, and the path it will be published as."""

    target: Path
    temporary: Path
    file: BinaryIO


@contextlib.contextmanager
def drafts(directory: Path, *names: str) -> Iterator[list[Draft]]:
    """Yield a draft for each name; publish all of them when the body ends without an exception.

    After an exception of any kind, no temporary file is left and the old files are untouched.

    Raises:
        OutputError: a file cannot be created in `directory`.
        StorageError: the drafts cannot be brought to disk or renamed.
    """
    with contextlib.ExitStack() as cleanup:
        opened = [cleanup.enter_context(_draft(directory / name)) for name in names]
        yield opened
        for draft in opened:
            with writing(draft.target):
                draft.file.flush()
                os.fsync(draft.file.fileno())
        for draft in opened:
            with writing(draft.target):
                draft.temporary.replace(draft.target)
        with writing(directory):
            sync_directory(directory)


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Translate what goes wrong while `target` is written.

    Raises:
        StorageError: in place of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write {target}: {error.strerror or error}. Every outcome is safe in the "
            "checkpoint: make room or choose another directory, then export again"
        ) from error


@contextlib.contextmanager
def _draft(target: Path) -> Iterator[Draft]:
    if target.is_dir():
        # Found only by the rename otherwise, when another file may already have been replaced.
        raise OutputError(f"cannot create {target}: a directory has this name; move it away")
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    except OSError as error:
        raise OutputError(
            f"cannot create {target}: {error.strerror}; choose another directory"
        ) from error
    temporary = Path(name)
    file = os.fdopen(number, "wb")
    try:
        yield Draft(target, temporary, file)
    finally:
        # What is still buffered belongs to a draft that failed; its error is on the way already.
        with contextlib.suppress(OSError):
            file.close()
        temporary.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` survive a loss of power; raises OSError where it cannot."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
