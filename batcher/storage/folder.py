"""A folder that a URL names: its files, read and written, each whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from batcher.errors import OutputError, StorageError
from batcher.storage.address import Address
from batcher.storage.failures import told
from batcher.storage.files import Files, Moved
from batcher.storage.listing import entry_at
from batcher.storage.opening import look_again, opened
from batcher.storage.waiting import SECONDS, GivenUpError, Stop, never, waited

Value = TypeVar("Value")

# Says what it is to whoever finds it where nothing may be removed.
_TRIAL = b"batcher wrote this to see whether it may write here. It can be removed.\n"
# A copy that brings nothing to an end for so long never will.
_STILL_S = 300.0


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies below a URL; names are relative to it, with slashes where they lie deeper.

    Nothing is asked of the store before it is needed. Every method raises StorageError, which names
    the URL and the reason, where the store cannot do it or is silent for about a minute. A signal
    ends the wait (as an exception of its handler); what is being written then appears whole, or
    never. So does `stop` (see `heeding`).
    """

    address: Address
    _files: Files = field(repr=False)
    _path: str = field(repr=False)
    _stop: Stop = never

    @classmethod
    def at(cls, url: str, stop: Stop = never, *, private: bool = False) -> Folder:
        """Return the folder at `url`; it need not exist. `stop` is heeded until it is open.

        Where it is `private` and on this machine, its files are readable by their owner only.

        Raises:
            UsageError: it may hold a secret, or is of no known kind of store.
            ConfigurationError: a package or a setting is missing.
        """
        address = Address.of(url)
        with told(f"cannot open {address}"):
            store, path = waited(lambda: opened(address), SECONDS, stop)
        return cls(address, Files(store, address.scheme, private), path)

    def heeding(self, stop: Stop) -> Folder:
        """Return the same folder, which waits for its store as long as somebody waits.

        Its methods ask `stop` now and then whether nobody does any more (GivenUpError); it may
        raise, too.
        """
        return replace(self, _stop=stop)

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
            OutputError: there is no such bucket (or container), or a file is there.
        """
        bucket = self.address.bucket
        if self._done("read", "", lambda: self._files.info(self._path)) is not None:
            raise OutputError(f"{self.url} is a file; name a folder, which need not exist")
        # Who may write need not be allowed to ask for the bucket.
        with contextlib.suppress(StorageError):
            if bucket is not None and entry_at(bucket, self._stop) is None:
                raise OutputError(f"there is no {bucket}; make it first, or name another")

    def check_writable(self) -> None:
        """Find out before it matters whether a file can be written: one is, and is removed again.

        Its name is hidden, and always another: to replace a file may take a permission of its own.
        Where it cannot be removed it stays, which is no trouble.
        """
        name = f".batcher-trial-{uuid.uuid4().hex[:8]}"
        self.write(name, _TRIAL)
        with contextlib.suppress(StorageError):
            self.remove(name)

    def read(self, name: str) -> bytes | None:
        """Return a small file; None where there is none of this name."""

        def read() -> bytes | None:
            try:
                return self._files.read(self._at(name))
            except FileNotFoundError:
                return None

        return self._done("read", name, read)

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, in place of one that is there."""
        source, size, path = io.BytesIO(content), len(content), self._at(name)
        self._done("write", name, lambda: self._files.put(source, size, path, _nothing))

    def upload(self, path: Path, name: str) -> None:
        """Write a file of this machine, in place of one that is there; it takes as long as it does.

        It is given up once nothing was taken for five minutes.
        """

        def upload(moved: Moved) -> None:
            with path.open("rb") as source:
                size = os.fstat(source.fileno()).st_size
                self._files.put(source, size, self._at(name), moved)

        self._moved("write", name, upload)

    def download(self, name: str, to: Path) -> None:
        """Copy a file to `to`, which is there once it is whole, readable by its owner only."""
        # Two that were begun do not meet there: nobody may wait for the first any more.
        part = to.with_name(f"{to.name}.{uuid.uuid4().hex[:8]}.part")

        def download(moved: Moved) -> None:
            try:
                self._files.fetch(self._at(name), part, moved)
                moved()
                part.replace(to)
            except FileNotFoundError:
                raise StorageError(f"there is no {self.url_of(name)}") from None
            finally:
                # Also where nobody waits any more.
                part.unlink(missing_ok=True)

        self._moved("read", name, download)

    def remove(self, name: str) -> None:
        """Remove a file; that there is none is fine.

        In S3, pyarrow leaves an empty object with the name of the folder, so that it stays one.
        """
        self._done("remove", name, lambda: self._files.remove(self._at(name)))

    def names(self) -> list[str]:
        """Return the names of the files right below, sorted; none where there is no such folder."""
        return self._done("list", "", lambda: self._files.names(self._path))

    def _at(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}" if self._path else name

    def _done(self, verb: str, name: str, work: Callable[[], Value]) -> Value:
        def done() -> Value:
            look_again(self.address)
            return work()

        with self._told(verb, name):
            return waited(done, SECONDS, self._stop)

    def _told(self, verb: str, name: str) -> AbstractContextManager[None]:
        return told(f"cannot {verb} {self.url_of(name) if name else self.url}")

    def _moved(self, verb: str, name: str, work: Callable[[Moved], None]) -> None:
        """Do work that takes as long as it does, while it goes on: it calls what it is given.

        That ends it where nobody waits any more.
        """
        last = time.monotonic()
        left = False

        def moved() -> None:
            nonlocal last
            last = time.monotonic()
            if left:
                raise GivenUpError

        def done() -> None:
            look_again(self.address)
            work(moved)

        def over() -> bool:
            if time.monotonic() - last > _STILL_S:
                raise TimeoutError(f"nothing moved for {_STILL_S:.0f} s")
            return self._stop()

        try:
            with self._told(verb, name):
                waited(done, None, over)
        finally:
            left = True


def _nothing() -> None:
    pass
