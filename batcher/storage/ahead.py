"""Small files at addresses, brought here a few at a time before they are asked for."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial

from batcher.errors import InputError, StorageError
from batcher.storage.address import Address
from batcher.storage.listing import Entry
from batcher.storage.opening import takes_threads
from batcher.storage.remote import RemoteReader
from batcher.storage.waiting import Stop, begun, ended, never

SMALL = 1 << 20
"""A larger file is read by ranges, which are fetched ahead as well."""
_MOST = 16


def brought(files: Sequence[Entry | None], stop: Stop = never) -> Iterator[bytes | None]:
    """Yield what is in each of `files`; None of one that is large, unknown, or cannot be read now.

    Whoever opens that hears why. A request takes its time, however little it brings: so the further
    the files are gone through, the more of them are on their way at once.

    Raises:
        GivenUpError: `stop` said that nobody waits any more.
    """
    coming: deque[Future[bytes] | None] = deque()
    for number in range(len(files)):
        wanted = number + 1 + min(number, _MOST)
        coming.extend(map(_begun, files[number + len(coming) : wanted]))
        content = None
        if (done := coming.popleft()) is not None:
            with contextlib.suppress(StorageError, InputError):
                # Each of its requests has its own bound.
                content = ended(done, None, stop)
        yield content


def _begun(file: Entry | None) -> Future[bytes] | None:
    if file is None or not file.size or file.size > SMALL or not takes_threads(file.address):
        return None
    return begun(partial(_read, file.address))


def _read(address: Address) -> bytes:
    reader = RemoteReader(address, ahead=False)
    return reader.read(reader.size) or b""
