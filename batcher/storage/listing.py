"""What lies at an address and below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from batcher.errors import StorageError
from batcher.storage.address import Address
from batcher.storage.failures import told
from batcher.storage.opening import opened, takes_threads
from batcher.storage.waiting import SECONDS, Stop, begun, ended, never, waited
from batcher.wording import counted

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

# The libraries ask for one file after the other.
_AT_ONCE = 16
_SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder; of a file, its size and when it was changed (ns), as far as is known."""

    address: Address
    is_file: bool
    size: int | None = None
    changed_ns: int | None = None


def entry_at(address: Address, stop: Stop = never) -> Entry | None:
    """Return what lies at `address`; None where nothing does.

    Raises:
        StorageError: the store does not say.
        GivenUpError: `stop` said that nobody waits any more.
    """
    (found,) = entries_at([address], stop)
    return found


def entries_at(addresses: Sequence[Address], stop: Stop = never) -> list[Entry | None]:
    """Return what lies at each of `addresses`, many of them asked for at once.

    Raises:
        StorageError: a store does not say.
        GivenUpError: `stop` said that nobody waits any more.
    """
    found: dict[Address, Entry | None] = {}
    for _, group in groupby(addresses, key=lambda address: (address.scheme, address.host)):
        some = list(group)
        threads = min(len(some), _AT_ONCE if takes_threads(some[0]) else 1)
        shares = [some[first::threads] for first in range(threads)]
        more = "" if len(some) == 1 else f" and {counted(len(some) - 1, 'other file')}"
        with told(f"cannot read {some[0]}{more}"):
            for look in [begun(partial(_looked, share)) for share in shares]:
                looked = ended(look, SECONDS if len(some) == 1 else None, stop)
                found |= looked
    return [found[address] for address in addresses]


def entries_below(folder: Address, *, recursive: bool, stop: Stop = never) -> list[Entry]:
    """Return what lies below `folder`, right below or at any depth; nothing where it is none.

    A folder is in the list where the store knows of folders, else maybe not.

    Raises:
        StorageError: the store does not say.
        GivenUpError: `stop` said that nobody waits any more.
    """

    def look() -> list[Entry]:
        from pyarrow.fs import FileSelector

        store, base = opened(folder)
        found = store.get_file_info(
            FileSelector(base, allow_not_found=True, recursive=recursive),
        )
        named = [(_relative(info.path, base, folder), info) for info in found]
        made = [_entry(folder / name, info) for name, info in named if name]
        return [entry for entry in made if entry is not None]

    with told(f"cannot list {folder}"):
        # A large folder is listed in many requests.
        return waited(look, None, stop)


def _looked(addresses: Sequence[Address]) -> dict[Address, Entry | None]:
    store, _ = opened(addresses[0])
    infos = store.get_file_info([opened(address)[1] for address in addresses])
    return {a: _entry(a, info) for a, info in zip(addresses, infos, strict=True)}


def _entry(address: Address, info: FileInfo) -> Entry | None:
    from pyarrow.fs import FileType

    if info.type == FileType.NotFound:
        return None
    is_file = info.type == FileType.File
    changed_ns = info.mtime_ns if is_file else None
    if changed_ns is not None and address.scheme == "s3":
        # Some list fractions of a second, which they leave out when they are asked for one file.
        changed_ns -= changed_ns % _SECOND
    return Entry(address, is_file, info.size, changed_ns)


def _relative(path: str, base: str, folder: Address) -> str:
    path, base = path.strip("/"), base.strip("/")
    if not base:
        return path
    if not f"{path}/".startswith(f"{base}/"):
        raise StorageError(f"{folder} lists what is not below it: {path}")
    return path[len(base) + 1 :]
