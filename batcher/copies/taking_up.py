"""The start of a run: which checkpoint it goes on with, that of its directory or the copy."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from batcher.checkpoint import (
    adopt,
    begin_line,
    holds_nothing,
    is_in,
    lineage_of,
    set_aside,
    those_aside,
)
from batcher.copies.files import INCOMING, fetched, removed_leftovers
from batcher.copies.latest import Copy
from batcher.copies.store import Store
from batcher.errors import ConfigurationError
from batcher.filesystem import synced
from batcher.wording import counted


class Taken(NamedTuple):
    """What the user should know of a copy that was taken; whether there was nothing before it."""

    told: str
    anew: bool


def take_up(store: Store, copy: Copy | None, checkpoint: Path) -> Taken | None:
    """Let `checkpoint` hold all that the `copy` has that counts; None where it does.

    The one that is there is kept if it does. Else the copy takes its place; and if it has anything
    that the copy has not, it is set aside, and that is brought into the copy.

    Raises:
        ConfigurationError: the two are of different runs.
        StorageError: one of them is damaged, or the store cannot be used.
    """
    removed_leftovers(checkpoint.parent)
    if copy is None:
        return None
    lineage = lineage_of(checkpoint)
    if lineage is not None and lineage.holds(copy.of):
        return None
    nothing = lags = holds_nothing(checkpoint)
    if not nothing:
        if lineage is None or lineage.run != copy.of.run:
            raise ConfigurationError(
                f"{checkpoint.parent} and the copy at {store.url} are of different runs. Name "
                "another directory with -o to go on with the copy, or another place with "
                "--sync-checkpoint to go on with this directory"
            )
        lags = is_in(checkpoint, copy.of)
    taken, cut_short = _fetched(store, copy, checkpoint)
    told = f"Going on with {copy}, from {store.url}"
    if cut_short:
        told += "; what was called after it is called again, and is in no count"
    if not lags:
        told += f"; the checkpoint that was here is set aside as {set_aside(checkpoint).name}"
    # An earlier start may have been killed right here, so all of them.
    for aside in those_aside(checkpoint):
        if outcomes := adopt(taken, aside):
            told += f"; {counted(outcomes, 'outcome')} that only {aside.name} had brought in"
    _in_place(taken, checkpoint)
    return Taken(told, nothing)


def give_back(copy: Copy, checkpoint: Path) -> None:
    """Remove what was taken of a copy with which nothing was done."""
    _remove(checkpoint)
    if copy.spooled is not None:
        checkpoint.with_name(copy.spooled.file).unlink(missing_ok=True)


def _fetched(store: Store, copy: Copy, checkpoint: Path) -> tuple[Path, bool]:
    """Bring the copy, and the rows that came in no file, into the directory.

    Return also whether it was made on the way of its process.
    """
    taken = checkpoint.with_name(INCOMING)
    fetched(store, copy.name, taken, copy.size, copy.sha256)
    # From here on it is a checkpoint of its own: the one it was copied from may go on as well.
    cut_short = begin_line(taken)
    if (spooled := copy.spooled) is not None:
        incoming = checkpoint.with_name(f"{INCOMING}.input")
        fetched(store, spooled.name, incoming, spooled.size, spooled.sha256)
        incoming.replace(checkpoint.with_name(spooled.file))
    return taken, cut_short


def _in_place(taken: Path, checkpoint: Path) -> None:
    """Give the checkpoint its name, on the disk."""
    synced(taken)
    # Of one that is gone: SQLite would lay its log over this one.
    _remove(checkpoint)
    taken.replace(checkpoint)
    synced(checkpoint.parent)


def _remove(checkpoint: Path) -> None:
    """Remove a checkpoint, or what is left of one."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        checkpoint.with_name(f"{checkpoint.name}{suffix}").unlink(missing_ok=True)
