"""Files that appear whole or not at all.

Each is written as `.<name>.<random>.tmp` in its own directory, mode 0600, and takes its name only
after all of them are complete and on disk. Between the first and the last rename a loss of power
can leave a new file beside an old one; the next export makes both again. The partitions of an
earlier export go before the first rename, the last one first: so what a loss of power leaves of
them is the beginning of one export, whose names tell how many there should be, never a mixture.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from batcher.errors import OutputError, StorageError
from batcher.filesystem import synced


@dataclass(slots=True)
class Draft:
    """A file being written, and the path it will be published as; open until it is settled."""

    target: Path
    temporary: Path
    file: BinaryIO

    def settle(self) -> None:
        """Bring it to disk and close it: of many files, only the one being written is open.

        Raises:
            StorageError: the disk does not take it.
        """
        with writing(self.target):
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()


class Publication:
    """Drafts in a directory, and the files there that they take the place of."""

    def __init__(self, directory: Path) -> None:
        """Use `publication`."""
        self.directory = directory
        self._drafts: list[Draft] = []
        self._superseded: list[Callable[[str], bool]] = []

    def draft(self, name: str) -> Draft:
        """Open a file that is to appear as `name`, or as what its target is by then.

        Raises:
            OutputError: it cannot be created.
        """
        target = self.directory / name
        check_free(target)
        try:
            number, temporary = tempfile.mkstemp(
                prefix=f".{target.name}.", suffix=".tmp", dir=target.parent
            )
        except OSError as error:
            raise OutputError(
                f"cannot create {target}: {error.strerror}; choose another directory"
            ) from error
        draft = Draft(target, Path(temporary), os.fdopen(number, "wb"))
        self._drafts.append(draft)
        return draft

    def supersede(self, is_old: Callable[[str], bool]) -> None:
        """Have the files gone whose names in the directory are `is_old`, before any is published.

        Names are those from the directory of the publication on, as in `draft`.
        """
        self._superseded.append(is_old)

    def publish(self) -> None:
        """Give all drafts their names.

        Raises:
            OutputError: a directory has the name of one; nothing was replaced.
            StorageError: they cannot be brought to disk or renamed.
        """
        for draft in self._drafts:
            check_free(draft.target)
            if not draft.file.closed:
                draft.settle()
        folders = sorted({self.directory, *(draft.target.parent for draft in self._drafts)})
        if old := sorted(self._old(folders), reverse=True):
            for path in old:
                with writing(path):
                    path.unlink(missing_ok=True)
            _sync(folders)
        for draft in self._drafts:
            with writing(draft.target):
                draft.temporary.replace(draft.target)
        _sync(folders)

    def drop(self) -> None:
        """Remove the drafts that were not published."""
        for draft in self._drafts:
            # What is still buffered belongs to one that failed; its error is on the way already.
            with contextlib.suppress(OSError):
                draft.file.close()
            draft.temporary.unlink(missing_ok=True)

    def _old(self, folders: list[Path]) -> Iterator[Path]:
        if not self._superseded:
            return
        for folder in folders:
            for path in folder.iterdir():
                name = path.relative_to(self.directory).as_posix()
                if any(is_old(name) for is_old in self._superseded):
                    yield path


@contextlib.contextmanager
def publication(directory: Path) -> Iterator[Publication]:
    """Publish all drafts that the body made, when it ends without an exception.

    After an exception of any kind, no temporary file is left and the old files are untouched.

    Raises:
        OutputError: a draft cannot take its name.
        StorageError: the drafts cannot be brought to disk or renamed.
    """
    made = Publication(directory)
    try:
        yield made
        made.publish()
    finally:
        made.drop()


def publish_text(path: Path, text: str) -> None:
    """Write a file of text, readable by its owner only, in one step.

    Raises:
        OutputError, StorageError: see `publication`.
    """
    with publication(path.parent) as published:
        draft = published.draft(path.name)
        with writing(path):
            draft.file.write(text.encode())


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


def check_free(target: Path) -> None:
    """Make sure that a file can be published as `target`.

    Found only by the rename otherwise, when another file may already have been replaced.

    Raises:
        OutputError: a directory has this name.
    """
    if target.is_dir():
        raise OutputError(f"cannot create {target}: a directory has this name; move it away")


def _sync(folders: list[Path]) -> None:
    for folder in folders:
        with writing(folder):
            synced(folder)
