"""Files of a store, each there whole or not at all; whoever calls these waits for the store."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TypeVar

if TYPE_CHECKING:
    from pyarrow import NativeFile
    from pyarrow.fs import FileInfo, FileSystem

Value = TypeVar("Value")

Moved = Callable[[], None]
"""Called after each piece that was moved; may raise."""

_AZURE = frozenset({"abfs", "abfss", "az"})
# Where a file is seen while it is written. Everywhere else it is there once it is complete. (Azure
# would show a blob once its blocks are committed; but pyarrow begins with an empty one, committed
# under the name, and so does away with what was there.)
_SEEN_EARLY = frozenset(
    {*_AZURE, "file", "local", "hdfs", "viewfs", "webhdfs", "arrow_hdfs"}
    | {"sftp", "ssh", "ftp", "smb", "dbfs", "asynclocal"}
)
# Of these, those that do not put one file in the place of another, in one step. There a file is
# called `.NAME.replaced` from the moment when another one is about to take its name until it has.
_TWO_STEPS = _SEEN_EARLY - {*_AZURE, "file"}
_REPLACED = re.compile(r"\A\.(.+)\.replaced\Z")
_PIECE = 4 << 20
# https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url
_COPIED_AT_ONCE = 256 << 20
# A stream to a store publishes what it has when it is closed, and is closed when it is collected.
# So those to which not all could be written stay: what they had is never seen.
_LEFT_OPEN: list[object] = []


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a store of some scheme, by their paths there.

    Where they are `private`, those on this machine are readable by their owner only; so is what is
    brought here in any case. Whatever a library of a store raises is passed on.
    """

    store: FileSystem
    scheme: str
    private: bool = False

    def info(self, path: str) -> FileInfo | None:
        """Return what the store says of a file; None where there is none."""
        from pyarrow.fs import FileType

        info = self.store.get_file_info(path)
        return info if info.type == FileType.File else None

    def names(self, folder: str) -> list[str]:
        """Return the names of the files right below, sorted; none where there is no such folder."""
        from pyarrow.fs import FileSelector, FileType

        self._look_anew()
        found = self.store.get_file_info(FileSelector(folder, allow_not_found=True))
        names: Iterable[str] = {info.base_name for info in found if info.type == FileType.File}
        if self.scheme in _TWO_STEPS:
            names = {_REPLACED.sub(r"\1", name) for name in names}
        return sorted(n for n in names if not (n.startswith(".") and n.endswith(".part")))

    def read(self, path: str) -> bytes:
        """Return a small file.

        Raises:
            FileNotFoundError: there is none.
        """

        def read(path: str) -> bytes:
            with self.store.open_input_stream(path, compression=None) as stream:
                content: bytes = stream.read()
                return content

        self._look_anew()
        return self._wherever(path, read)

    def fetch(self, path: str, to: Path, moved: Moved) -> None:
        """Copy a file to `to`.

        Raises:
            FileNotFoundError: there is none.
            OSError: it changed meanwhile.
        """

        def fetch(path: str) -> None:
            there = self.info(path)
            if there is None:
                raise FileNotFoundError
            with (
                self.store.open_input_stream(path, compression=None) as source,
                os.fdopen(_created(to), "wb") as file,
            ):
                _copy(source, file, moved)
            if to.stat().st_size != there.size:
                raise OSError("it changed while it was read")

        self._wherever(path, fetch)

    def remove(self, path: str) -> None:
        """Remove a file; that there is none is fine.

        In S3, pyarrow leaves an empty object with the name of the folder, so that it stays one.
        """
        if self.scheme in _TWO_STEPS:
            # In this order: the one before must not come back.
            self._delete(_replaced(path))
        self._delete(path)

    def put(self, source: BinaryIO, size: int, path: str, moved: Moved) -> None:
        """Write `size` bytes of `source`, in place of a file that is there."""
        if self.scheme not in _SEEN_EARLY:
            self._write(source, size, path, moved)
            return
        parent, _, last = path.rpartition("/")
        part = f"{parent}/.{last}.{os.getpid()}.part"
        if self.scheme not in _AZURE:
            self.store.create_dir(parent, recursive=True)
        if self.private and self.scheme == "file":
            os.close(_created(Path(part)))
        self._write(source, size, part, moved)
        if self.scheme in _TWO_STEPS:
            self._put_in_place(part, path)
            return
        try:
            self.store.move(part, path)
        except NotImplementedError:
            # Azure without a hierarchical namespace gives no blob another name, and copies small
            # ones at once. In the place of a larger one an empty one is seen until it is whole.
            if size <= _COPIED_AT_ONCE:
                self.store.copy_file(part, path)
            else:
                source.seek(0)
                self._write(source, size, path, moved)
            self.store.delete_file(part)

    def _write(self, source: BinaryIO, size: int, path: str, moved: Moved) -> None:
        sink = self.store.open_output_stream(path, compression=None)
        try:
            _copy(source, sink, moved)
        except BaseException:
            _LEFT_OPEN.append(sink)
            raise
        sink.close()
        written = self.info(path)
        if written is None or written.size != size:
            there = "nothing is" if written is None else f"{written.size:,} bytes are"
            raise OSError(f"{size:,} bytes were sent, {there} there")

    def _put_in_place(self, part: str, path: str) -> None:
        """Give a whole file its name: at each moment it is found, or the one before.

        So it is by whoever comes after a kill.
        """
        replaced = _replaced(path)
        if self.info(path) is not None:
            self._delete(replaced)
            self.store.move(path, replaced)
        self.store.move(part, path)
        self._delete(replaced)

    def _wherever(self, path: str, read: Callable[[str], Value]) -> Value:
        """Return what `read` returns of a file, which may be about to be replaced.

        Raises:
            FileNotFoundError: it finds none.
        """
        if self.scheme in _TWO_STEPS:
            # Between two looks the new one may have come, and the one before have gone.
            for name in (path, _replaced(path)):
                with contextlib.suppress(FileNotFoundError):
                    return read(name)
        return read(path)

    def _look_anew(self) -> None:
        """Have fsspec, which remembers what it saw, ask the store."""
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        if isinstance(self.store, PyFileSystem) and isinstance(self.store.handler, FSSpecHandler):
            handler: Any = self.store.handler  # whose stubs do not know what it takes
            handler.fs.invalidate_cache()

    def _delete(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.store.delete_file(path)


def _created(path: Path) -> int:
    """Make a file that at no moment anybody else can read; return it, open for writing."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _replaced(path: str) -> str:
    parent, slash, name = path.rpartition("/")
    return f"{parent}{slash}.{name}.replaced"


def _copy(source: IO[bytes] | NativeFile, sink: IO[bytes] | NativeFile, moved: Moved) -> None:
    while piece := source.read(_PIECE):
        sink.write(piece)
        moved()
