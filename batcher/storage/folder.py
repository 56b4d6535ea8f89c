"""A folder that a URL names: its files, read and written, each whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, TypeVar

from batcher.errors import OutputError, StorageError
from batcher.storage.address import Address
from batcher.storage.failures import told
from batcher.storage.listing import entry_at
from batcher.storage.opening import opened
from batcher.storage.waiting import SECONDS, Stop, never, waited

if TYPE_CHECKING:
    from pyarrow import NativeFile
    from pyarrow.fs import FileInfo, FileSystem

Value = TypeVar("Value")

Moved = Callable[[], None]

_AZURE = frozenset({"abfs", "abfss", "az"})
# Where a file is seen while it is written. Everywhere else it is there once it is complete. (In
# Azure what was there is gone as soon as something else is begun under its name.)
_SEEN_EARLY = frozenset(
    {*_AZURE, "file", "local", "hdfs", "viewfs", "webhdfs", "arrow_hdfs"}
    | {"sftp", "ssh", "ftp", "smb", "dbfs", "asynclocal"}
)
_PIECE = 4 << 20
# A copy that brings nothing to an end for so long never will.
_STILL_S = 300.0
# https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url
_COPIED_AT_ONCE = 256 << 20
# A stream to a store publishes what it has when it is closed, and is closed when it is collected.
# So those to which not all could be written stay: what they had is never seen.
_LEFT_OPEN: list[object] = []


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies below a URL; names are relative to it, with slashes where they lie deeper.

    Nothing is asked of the store before it is needed. Every method raises StorageError, which names
    the URL and the reason, where the store cannot do it or is silent for about a minute. A signal
    ends the wait (as an exception of its handler); what is being written then appears whole, or
    never.
    """

    address: Address
    _store: FileSystem = field(repr=False)
    _path: str = field(repr=False)

    @classmethod
    def at(cls, url: str) -> Folder:
        """Return the folder at `url`; it need not exist.

        Raises:
            UsageError: it may hold a secret, or is of no known kind of store.
            ConfigurationError: a package or a setting is missing.
        """
        address = Address.of(url)
        doing = f"cannot open {address}"
        with told(doing):
            return cls(address, *waited(lambda: opened(address)))

    @property
    def url(self) -> str:
        """Where it is, without any secret."""
        return self.address.url

    def url_of(self, name: str) -> str:
        """Return where the file `name` is."""
        return (self.address / name).url

    def check(self) -> None:
        """Find out before it matters whether the store can be asked, and has such a bucket.

        Raises:
            OutputError: there is no such bucket (or container).
        """
        bucket = self.address.bucket
        self._done("read", "", lambda: self._info(self._path))
        # Who may write need not be allowed to ask for the bucket.
        with contextlib.suppress(StorageError):
            if bucket is not None and entry_at(bucket) is None:
                raise OutputError(f"there is no {bucket}; make it first, or name another")

    def read(self, name: str) -> bytes | None:
        """Return a small file; None where there is none of this name."""

        def read() -> bytes | None:
            try:
                with self._store.open_input_stream(self._at(name), compression=None) as stream:
                    content: bytes = stream.read()
                    return content
            except FileNotFoundError:
                return None

        return self._done("read", name, read)

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, in place of one that is there."""
        self._done(
            "write", name, lambda: self._put(io.BytesIO(content), len(content), name, _nothing)
        )

    def upload(self, path: Path, name: str, stop: Stop = never) -> None:
        """Write a file of this machine, in place of one that is there; it takes as long as it does.

        It is given up once nothing was taken for five minutes. `stop` is asked now and then whether
        nobody waits for it any more, and may raise.
        """

        def upload(moved: Moved) -> None:
            with path.open("rb") as source:
                self._put(source, os.fstat(source.fileno()).st_size, name, moved)

        self._moved("write", name, upload, stop)

    def download(self, name: str, to: Path) -> None:
        """Copy a file to `to`, which is there once it is whole."""
        part = to.with_name(f".{to.name}.{os.getpid()}.part")

        def download(moved: Moved) -> None:
            there = self._info(self._at(name))
            if there is None:
                raise StorageError(f"there is no {self.url_of(name)}")
            with (
                self._store.open_input_stream(self._at(name), compression=None) as source,
                part.open("wb") as file,
            ):
                _copy(source, file, moved)
            if part.stat().st_size != there.size:
                raise StorageError(f"{self.url_of(name)} changed while it was read")
            part.replace(to)

        try:
            self._moved("read", name, download, never)
        finally:
            part.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Remove a file; that there is none is fine.

        In S3, pyarrow leaves an empty object with the name of the folder, so that it stays one.
        """

        def remove() -> None:
            with contextlib.suppress(FileNotFoundError):
                self._store.delete_file(self._at(name))

        self._done("remove", name, remove)

    def names(self) -> list[str]:
        """Return the names of the files right below, sorted; none where there is no such folder."""

        def names() -> list[str]:
            from pyarrow.fs import FileSelector, FileType

            found = self._store.get_file_info(FileSelector(self._path, allow_not_found=True))
            files = [info.base_name for info in found if info.type == FileType.File]
            return sorted(n for n in files if not (n.startswith(".") and n.endswith(".part")))

        return self._done("list", "", names)

    def _at(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}" if self._path else name

    def _done(
        self,
        verb: str,
        name: str,
        work: Callable[[], Value],
        seconds: float | None = SECONDS,
        stop: Stop = never,
    ) -> Value:
        with told(f"cannot {verb} {self.url_of(name) if name else self.url}"):
            return waited(work, seconds, stop)

    def _moved(self, verb: str, name: str, work: Callable[[Moved], None], stop: Stop) -> None:
        """Do work that takes as long as it does, while it goes on: it calls what it is given."""
        last = time.monotonic()

        def moved() -> None:
            nonlocal last
            last = time.monotonic()

        def over() -> bool:
            if time.monotonic() - last > _STILL_S:
                raise TimeoutError(f"nothing moved for {_STILL_S:.0f} s")
            return stop()

        self._done(verb, name, lambda: work(moved), None, over)

    def _info(self, path: str) -> FileInfo | None:
        from pyarrow.fs import FileType

        info = self._store.get_file_info(path)
        return info if info.type == FileType.File else None

    def _put(self, source: BinaryIO, size: int, name: str, moved: Moved) -> None:
        """Write `size` bytes of `source`; in a thread, where no signal becomes an exception."""
        scheme, whole = self.address.scheme, self._at(name)
        if scheme not in _SEEN_EARLY:
            self._write(source, size, whole, moved)
            return
        parent, _, last = whole.rpartition("/")
        part = f"{parent}/.{last}.{os.getpid()}.part"
        if scheme not in _AZURE:
            self._store.create_dir(parent, recursive=True)
        self._write(source, size, part, moved)
        try:
            # Only some of these put one file in the place of another.
            if scheme not in {"file", *_AZURE} and self._info(whole) is not None:
                self._store.delete_file(whole)
            self._store.move(part, whole)
        except NotImplementedError:
            # Azure without a hierarchical namespace knows no names but those of whole blobs.
            if size <= _COPIED_AT_ONCE:
                self._store.copy_file(part, whole)
            else:
                source.seek(0)
                self._write(source, size, whole, moved)
            self._store.delete_file(part)

    def _write(self, source: BinaryIO, size: int, path: str, moved: Moved) -> None:
        sink = self._store.open_output_stream(path, compression=None)
        try:
            _copy(source, sink, moved)
        except BaseException:
            _LEFT_OPEN.append(sink)
            raise
        sink.close()
        written = self._info(path)
        if written is None or written.size != size:
            there = "nothing is" if written is None else f"{written.size:,} bytes are"
            raise StorageError(f"{size:,} bytes were sent to {self.url}, {there} there")


def _nothing() -> None:
    pass


def _copy(source: IO[bytes] | NativeFile, sink: IO[bytes] | NativeFile, moved: Moved) -> None:
    while piece := source.read(_PIECE):
        sink.write(piece)
        moved()
