"""A run whose checkpoint is copied to a URL: joined to that, from its start to its end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from batcher.checkpoint import Checkpoint
from batcher.copies import Copying, Keeper, Shelf, give_back, take_up
from batcher.copies.latest import Copy
from batcher.durations import seconds_of
from batcher.errors import ConfigurationError, Halt, Interruption, UsageError
from batcher.inputs import SPOOLED, Dataset
from batcher.job import OutputSpec
from batcher.observe import Watcher
from batcher.observe.metrics import News
from batcher.runs.description import Description
from batcher.runs.directory import RunDirectory
from batcher.runs.shard import Shard, folder_of
from batcher.runs.stopping import Check, Stopping, asking, soon
from batcher.storage import Address, Folder
from batcher.wording import utc

# How long a run that fails, or is stopped before its calls, waits for the copy of what it has.
_RESCUE_S = 20.0


class NotSynced:
    """A run of which no copy is kept."""

    watchers: Sequence[Watcher] = ()
    """What is to be told of the run."""
    is_current: bool | None = None
    """Whether the copy has all that was recorded, once the last one was made; None without one."""

    @contextlib.contextmanager
    def calls(
        self,
        _checkpoint: Checkpoint,
        _dataset: Dataset,
        _description: Description,
        _stopping: Stopping,
    ) -> Iterator[None]:
        """Copy what the block records, which is to `end` with the last copy."""
        yield

    @contextlib.contextmanager
    def halting(self, _stop: Callable[[Halt], None]) -> Iterator[None]:
        """Have `stop` called, in the loop that runs, once another process works on the run."""
        yield

    def hurry(self) -> None:
        """Copy what there is now: what is recorded until the end may come too late for that."""

    def end(self, _stopping: Stopping, _within: float | None) -> signal.Signals | None:
        """Make the last copy, as far as `within` seconds and signals leave time for it.

        Returns the signal that ended it.
        """
        return None

    def line(self) -> str | None:
        """Say for the summary how the copy stands."""
        return None


@dataclass(slots=True)
class Syncing:
    """Keeps the copy of a run; `news` passes on what is told of it."""

    keeper: Keeper
    news: News
    described: Description | None = None

    @property
    def watchers(self) -> Sequence[Watcher]:
        """What is to be told of the run."""
        return (self.news,)

    @property
    def url(self) -> str:
        """Where the copy is."""
        return self.keeper.shelf.store.url

    @contextlib.contextmanager
    def calls(
        self,
        checkpoint: Checkpoint,
        dataset: Dataset,
        description: Description,
        stopping: Stopping,
    ) -> Iterator[None]:
        """See `NotSynced.calls`; where the block is left otherwise, that has the last copy made."""
        self.described = description
        description.add(copy=self.facts())
        copied_here = (file.place for file in dataset.files if isinstance(file.place, Path))
        spooled = next((path for path in copied_here if path.name in SPOOLED), None)
        copying = Copying(checkpoint, self.keeper.shelf, spooled)
        try:
            self.keeper.begin(copying)
            yield
        except BaseException:
            self.end(stopping, _RESCUE_S)
            raise

    @contextlib.contextmanager
    def halting(self, stop: Callable[[Halt], None]) -> Iterator[None]:
        """See `NotSynced.halting`."""
        with self.keeper.halting(soon(stop)):
            yield

    def hurry(self) -> None:
        """See `NotSynced.hurry`."""
        self.keeper.hurry()

    def end(self, stopping: Stopping, within: float | None) -> signal.Signals | None:
        """See `NotSynced.end`."""
        try:
            with stopping.interruptible(within=within) as check:
                self.keeper.end(check)
        except Interruption as late:
            return late.number
        return None

    def describe(self, _copy: Copy) -> None:
        """Say in run.json what the copy holds."""
        if self.described is not None:
            self.described.add(copy=self.facts())

    def facts(self) -> dict[str, object]:
        """Return what run.json says of the copy."""
        copy = self.keeper.shelf.copy
        if copy is None:
            return {"url": self.url}
        return {
            "url": self.url,
            "number": copy.of.backups,
            "made_at": utc(copy.made_at),
            "rows": copy.rows,
        }

    @property
    def is_current(self) -> bool:
        """See `NotSynced.is_current`."""
        keeper = self.keeper
        return keeper.trouble is None and keeper.lost is None and keeper.shelf.copy is not None

    def line(self) -> str:
        """See `NotSynced.line`."""
        copy, trouble = self.keeper.shelf.copy, self.keeper.trouble
        if self.is_current:
            return f"{self.url} ({copy})"
        held = "there is none" if copy is None else f"it is {copy}"
        why = trouble or (self.keeper.lost.reason if self.keeper.lost else "none was made")
        return f"{self.url}: NOT CURRENT, {held}: {why}"


Copies: TypeAlias = Syncing | NotSynced


def refuse_copies_within(directory: RunDirectory, output: OutputSpec) -> None:
    """Keep the copy of a checkpoint from lying in the run directory, and going with it.

    Raises:
        UsageError: it would.
    """
    to = None if output.sync_checkpoint is None else Address.of(output.sync_checkpoint)
    if to is None or to.scheme != "file":
        return
    if Path(to.path).resolve().is_relative_to(directory.path.resolve()):
        raise UsageError(
            f"{to.path} is the run directory, or within it: what takes the checkpoint takes its "
            "copy too. Name a place elsewhere with --sync-checkpoint, such as s3://bucket/folder"
        )


@contextlib.contextmanager
def syncing(
    output: OutputSpec,
    directory: RunDirectory,
    shard: Shard | None,
    on_notice: Callable[[str], None],
    check: Check,
) -> Iterator[Copies]:
    """Yield what copies the checkpoint of `directory`, where that is wanted.

    The copies of a shard lie in a folder of their own, so that one job serves for all.

    The run is claimed at the place of its copies, and its checkpoint made the one to go on with.

    Raises:
        LockedError: another process works on the run, anywhere.
        ConfigurationError: directory and copy are of different runs.
        OutputError: there is no such bucket.
        UsageError, StorageError: the place cannot be used.
        Interruption: `check` says that the run is to end.
    """
    if output.sync_checkpoint is None:
        yield NotSynced()
        return
    folder = Folder.at(folder_of(output.sync_checkpoint, shard), asking(check), private=True)
    heeding = folder.heeding(asking(check))
    heeding.check()
    news = News(on_notice)

    def describe(copy: Copy) -> None:
        made.describe(copy)

    shelf = Shelf(heeding, seconds_of(output.sync_every))
    copy = shelf.claim()
    # From here on it is used in other threads, which end on their own.
    shelf.store = folder
    keeper = Keeper(shelf, news.tell, describe)
    made = Syncing(keeper, news)
    with contextlib.ExitStack() as stack:
        stack.callback(news.pulse)
        stack.enter_context(keeper.at_work())
        taken = take_up(heeding, copy, directory.checkpoint)
        if taken is not None:
            on_notice(taken.told)
        directory.refuse_strangers()
        try:
            yield made
        except ConfigurationError as error:
            if copy is None or taken is None or not taken.anew or made.described is not None:
                raise
            give_back(copy, directory.checkpoint)
            raise ConfigurationError(
                f"{error}. It is the copy at {folder.url} that is of another input or job: for "
                "another run, name another place with --sync-checkpoint"
            ) from error
