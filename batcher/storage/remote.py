"""A file at an address, read by ranges: as far as it is wanted, and a little ahead."""

from __future__ import annotations

import io
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from batcher.errors import InputError, StorageError
from batcher.storage.address import Address
from batcher.storage.failures import told
from batcher.storage.opening import look_again, opened
from batcher.storage.waiting import SECONDS, Stop, begun, ended, never, waited

if TYPE_CHECKING:
    from pyarrow import NativeFile
    from pyarrow.fs import FileSystem

# What is read at once by who reads from the start to the end; as much again is read ahead.
PIECE = 4 << 20


class RemoteReader(io.RawIOBase):
    """Reads the file at `address`; every read is whole, except at the end of the file.

    With `ahead`, for who reads on from a place, pieces are fetched before they are asked for; else
    exactly what is asked for. `stop` says whether nobody waits for it any more.

    Raises, when it is made and by every read:
        StorageError: the store cannot be read now.
        InputError: there is no such file, or it was replaced since it was opened: what was read
            before, and would be read now, are not of one file.
        GivenUpError: `stop` said so.
    """

    def __init__(self, address: Address, *, ahead: bool, stop: Stop = never) -> None:
        super().__init__()
        self._address = address
        self._stop = stop
        self._ahead = ahead
        self._at = 0
        self._pieces: dict[int, Future[bytes]] = {}
        with told(f"cannot read {address}"):
            try:
                self._store, self._path, self._file, self._stamp = waited(self._open, SECONDS, stop)
                self.size = self._file.size()
            except FileNotFoundError:
                raise InputError(f"no such file: {address}") from None

    def _open(self) -> tuple[FileSystem, str, NativeFile, object]:
        store, path = opened(self._address)
        file = store.open_input_file(path)
        return store, path, file, _stamp(store, path, file)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place; nothing is read for it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 -- what can be written into
        """Fill `buffer`, as far as there are bytes."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), max(0, self.size - self._at))
        filled = 0
        while filled < wanted:
            if self._ahead:
                piece = self._piece(self._at // PIECE)
                content = memoryview(piece)[self._at % PIECE :][: wanted - filled]
            else:
                future = begun(partial(self._range, self._at, wanted))
                content = memoryview(self._waited(future))
            view[filled : filled + len(content)] = content
            filled += len(content)
            self._at += len(content)
        return filled

    def _piece(self, number: int) -> bytes:
        for wanted in (number, number + 1):
            if wanted not in self._pieces and wanted * PIECE < self.size:
                self._pieces[wanted] = begun(partial(self._range, wanted * PIECE, PIECE))
        for passed in self._pieces.keys() - {number, number + 1}:
            del self._pieces[passed]
        try:
            return self._waited(self._pieces[number])
        except BaseException:
            # Whoever tries again asks again.
            self._pieces.clear()
            raise

    def _waited(self, done: Future[bytes]) -> bytes:
        with told(f"cannot read {self._address}"):
            return ended(done, SECONDS, self._stop)

    def _range(self, start: int, length: int) -> bytes:
        """Return what stands there, which is of the file that was opened."""
        length = min(length, self.size - start)
        look_again(self._address)
        try:
            file: Any = self._file  # whose stubs lack it
            content: bytes = file.read_at(length, start)
            # A store has no open files: each range is of what has the name at that moment.
            replaced = _stamp(self._store, self._path) != self._stamp
        except FileNotFoundError:
            replaced = True
        if replaced:
            raise InputError(
                f"{self._address} was replaced or removed while it was read. Run the same command "
                "again to take up the change, or restore it"
            )
        if len(content) < length:
            raise StorageError(f"{len(content):,} bytes came of {length:,}")
        return content


def _stamp(store: FileSystem, path: str, file: NativeFile | None = None) -> object:
    """Return what tells one content of a file from another: in one request, of object stores."""
    from pyarrow.fs import PyFileSystem

    if not isinstance(store, PyFileSystem):
        opened_file = file or store.open_input_file(path)
        told_of: Any = opened_file.metadata() or {}
        tags = {str(name).lower(): value for name, value in told_of.items()}
        if tag := tags.get("etag") or tags.get("last-modified"):
            return opened_file.size(), tag
    info = store.get_file_info(path)
    return info.size, info.mtime_ns
