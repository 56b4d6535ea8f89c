"""What lies at an address and below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from batcher.errors import StorageError
from batcher.storage.address import Address
from batcher.storage.failures import told
from batcher.storage.opening import opened
from batcher.storage.waiting import SECONDS, Stop, never, waited
from batcher.wording import counted

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo


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

        def look(some: Sequence[Address] = some) -> list[FileInfo]:
            store, _ = opened(some[0])
            return store.get_file_info([opened(address)[1] for address in some])

        more = "" if len(some) == 1 else f" and {counted(len(some) - 1, 'other file')}"
        with told(f"cannot read {some[0]}{more}"):
            infos = waited(look, SECONDS if len(some) == 1 else None, stop)
        found |= {a: _entry(a, info) for a, info in zip(some, infos, strict=True)}
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


def _entry(address: Address, info: FileInfo) -> Entry | None:
    from pyarrow.fs import FileType

    if info.type == FileType.NotFound:
        return None
    is_file = info.type == FileType.File
    return Entry(address, is_file, info.size, info.mtime_ns if is_file else None)


def _relative(path: str, base: str, folder: Address) -> str:
    path, base = path.strip("/"), base.strip("/")
    if not base:
        return path
    if not f"{path}/".startswith(f"{base}/"):
        raise StorageError(f"{folder} lists what is not below it: {path}")
    return path[len(base) + 1 :]
