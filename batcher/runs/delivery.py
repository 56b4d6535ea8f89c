"""What a run ended with, put at a URL as well."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batcher.errors import OutputError, StorageError
from batcher.outputs import CARD, Kind
from batcher.storage import Entry, Folder, Stop, entries_at, entries_below, is_url, never

Delivered = Mapping[str, Sequence[object]]
"""By name, what was put there: a hash of it; and its size and time, as the store tells them."""

# In this order: who waits for the results finds the errors of the same run beside them.
REPORT = "report.html"
DELIVERED = ("errors.parquet", "results.parquet", REPORT)


def delivered(*, report: bool) -> list[str]:
    """Return the names of what is put at a URL, in their order; with a `report` where there is one.

    One of an earlier end would stand beside newer results.
    """
    return [name for name in DELIVERED if report or name != REPORT]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Puts files of this machine into a folder at a URL."""

    folder: Folder

    @classmethod
    def to(cls, url: str, stop: Stop = never) -> Delivery:
        """Open the folder, and make sure that it can be asked, before anything is paid for.

        Raises:
            UsageError, ConfigurationError: see `Folder.at`.
            OutputError: there is no such bucket.
            StorageError: it cannot be asked.
            GivenUpError: `stop` said that nobody waits for it any more.
        """
        folder = Folder.at(url, stop)
        folder.heeding(stop).check()
        return cls(folder)

    def check_writable(self, stop: Stop = never) -> None:
        """Make sure that files can be put there, before anything is paid for.

        Raises:
            OutputError: they cannot.
            GivenUpError: `stop` said that nobody waits for it any more.
        """
        try:
            self.folder.heeding(stop).check_writable()
        except StorageError as error:
            url = self.folder.url
            raise OutputError(
                f"{error}. So results could not be put there at the end: allow it, or name another "
                f"place with --to; or leave --to out, and `batcher export DIR --to {url}` when the "
                "run is done"
            ) from None

    def put(
        self, root: Path, names: Sequence[str], known: Delivered | None = None, stop: Stop = never
    ) -> Delivered:
        """Put the files `names` below `root` there, in their order; return what is there now.

        One that is there already, as is `known` of an earlier time, is left alone.

        Raises:
            StorageError: one could not be put there. Those before it are there, those behind it as
                they were.
            GivenUpError: so it is once `stop` says that nobody waits any more.
        """
        known = known or {}
        hashes = {name: _hash(root / name) for name in names}
        folder = self.folder.heeding(stop)
        for name, entry in zip(names, self._entries(names, stop), strict=True):
            if known.get(name) != [hashes[name], *_told(entry)] or entry is None:
                folder.upload(root / name, name)
        there = zip(names, self._entries(names, stop), strict=True)
        return {name: [hashes[name], *_told(entry)] for name, entry in there}

    def place(self, path: Path) -> str:
        """Return the URL of a file by its path from there."""
        return self.folder.url_of(path.as_posix())

    def fetch_card(self, root: Path, kind: Kind) -> None:
        """Copy the card of a dataset that is there to `root`, for its user's part of it.

        Raises:
            OutputError: there is data without one.
            StorageError: it cannot be read or written.
        """
        card = self.folder.read(CARD)
        if card is not None:
            (root / CARD).write_bytes(card)
        elif theirs := [name for name in self.names({"data"}) if kind.may_be(name)]:
            raise OutputError(
                f"{self.folder.url_of(theirs[0])} is there but no {CARD}: it is no dataset of "
                "batcher's. Move it away, or name another URL with --to"
            )

    def replace(self, root: Path, is_old: Callable[[str], bool]) -> None:
        """Put all files below `root` there, a card last; those that are `is_old` go before.

        So what a failure leaves is the beginning of one export, whose names tell how many files
        there should be, never a mixture of two.

        Raises:
            StorageError: it cannot.
        """
        paths = [path for path in root.rglob("*") if path.is_file()]
        names = sorted(path.relative_to(root).as_posix() for path in paths)
        names.sort(key=lambda name: name == CARD)
        for name in self.names({name.rpartition("/")[0] for name in names}):
            if is_old(name) and name not in names:
                self.folder.remove(name)
        self.put(root, names)

    def names(self, folders: Iterable[str]) -> list[str]:
        """Return the names, from the URL on, of the files right below `folders` ("" is the URL).

        Raises:
            StorageError: they cannot be listed.
        """
        found = []
        for folder in sorted(folders):
            address = self.folder.address / folder if folder else self.folder.address
            entries = entries_below(address, recursive=False)
            inner = [entry.address.name for entry in entries if entry.is_file]
            found += [f"{folder}/{name}" if folder else name for name in inner]
        return found

    def _entries(self, names: Sequence[str], stop: Stop) -> list[Entry | None]:
        return entries_at([self.folder.address / name for name in names], stop)


def target_of(to: str | None) -> Path | Delivery | None:
    """Return where an export goes: a path or a URL; None where nothing is said.

    Raises:
        BatcherError: see `Delivery.to`.
    """
    if to is None or to == "":
        return None
    return Delivery.to(to) if is_url(to) else Path(to)


@contextmanager
def beside(directory: Path) -> Iterator[Path]:
    """Yield an empty directory in that of a run, for files on their way; it is gone afterwards.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        made = Path(tempfile.mkdtemp(prefix=".export-", dir=directory))
    except OSError as error:
        raise StorageError(f"cannot write to {directory}: {error.strerror}") from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _told(entry: Entry | None) -> list[object]:
    return [] if entry is None else [entry.size, entry.changed_ns]


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from None
