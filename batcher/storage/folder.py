"""A folder that a URL names: its files, read and written, each whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from batcher.errors import OutputError, StorageError
from batcher.storage.address import Address
from batcher.storage.failures import told
from batcher.storage.opening import opened
from batcher.storage.waiting import SECONDS, Stop, never, waited

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

Value = TypeVar("Value")

# Where a file is seen while it is written. Everywhere else it is there once it is complete.
_SEEN_EARLY = frozenset(
    {"file", "local", "hdfs", "viewfs", "webhdfs", "arrow_hdfs"}
    | {"sftp", "ssh", "ftp", "smb", "dbfs", "asynclocal"}
)
_PIECE = 4 << 20
# Stores whose files lie in buckets, which are not made by the way.
_BUCKETS = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "az"})
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

        def exists() -> bool:
            # Who may write need not be allowed to ask for the bucket.
            with contextlib.suppress(OSError):
                return self._info(self._bucket, any_kind=True) is not None
            return True

        self._done("read", "", lambda: self._info(self._path, any_kind=True))
        if self.address.scheme in _BUCKETS and not self._done("read", "", exists):
            bucket = f"{self.address.scheme}://{self.address.host}"
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
        self._done("write", name, lambda: self._put(io.BytesIO(content), len(content), name))

    def upload(self, path: Path, name: str, stop: Stop = never) -> None:
        """Write a file of this machine, in place of one that is there; it takes as long as it does.

        A connection that brings nothing to an end is given up by the store's own library. `stop` is
        asked now and then whether nobody waits for it any more, and may raise.
        """

        def upload() -> None:
            with path.open("rb") as source:
                self._put(source, os.fstat(source.fileno()).st_size, name)

        self._done("write", name, upload, None, stop)

    def download(self, name: str, to: Path) -> None:
        """Copy a file to `to`, which is there once it is whole."""
        part = to.with_name(f".{to.name}.{os.getpid()}.part")

        def download() -> None:
            there = self._info(self._at(name))
            if there is None:
                raise StorageError(f"there is no {self.url_of(name)}")
            with (
                self._store.open_input_stream(self._at(name), compression=None) as source,
                part.open("wb") as file,
            ):
                shutil.copyfileobj(source, file, _PIECE)
            if part.stat().st_size != there.size:
                raise StorageError(f"{self.url_of(name)} changed while it was read")
            part.replace(to)

        try:
            self._done("read", name, download, None)
        finally:
            part.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Remove a file; that there is none is fine."""

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

    @property
    def _bucket(self) -> str:
        return self._path.partition("/")[0]

    def _info(self, path: str, *, any_kind: bool = False) -> FileInfo | None:
        """Return what the store says of a file, or of whatever has the name."""
        from pyarrow.fs import FileType

        info = self._store.get_file_info(path)
        return info if info.type == FileType.File or (any_kind and info.type) else None

    def _put(self, source: BinaryIO, size: int, name: str) -> None:
        """Write `size` bytes of `source`; in a thread, where no signal becomes an exception."""
        whole = self._at(name)
        parent, _, last = whole.rpartition("/")
        early = self.address.scheme in _SEEN_EARLY
        target = f"{parent}/.{last}.{os.getpid()}.part" if early else whole
        if early:
            self._store.create_dir(parent, recursive=True)
        sink = self._store.open_output_stream(target, compression=None)
        try:
            shutil.copyfileobj(source, sink, _PIECE)
        except BaseException:
            _LEFT_OPEN.append(sink)
            raise
        sink.close()
        written = self._info(target)
        if written is None or written.size != size:
            there = "nothing is" if written is None else f"{written.size:,} bytes are"
            raise StorageError(f"{self.url_of(name)}: {size:,} bytes were sent, {there} there")
        if early:
            # Only some of these put one file in the place of another.
            if self.address.scheme != "file" and self._info(whole) is not None:
                self._store.delete_file(whole)
            self._store.move(target, whole)
