"""`checkpoint.db`: opened, written in short transactions, read while it is written.

What `write` has returned from outlives the process, and after the next `sync` the machine
(reliability.md promises 2 and 3). On a local disk that is WAL with synchronous=NORMAL, where a
commit is one write, and an fsync of the log by `sync`. Where other machines reach the files there
can be no WAL: there each `write` is synced by SQLite itself.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from batcher.checkpoint import chronicle, schema
from batcher.checkpoint.access import Access
from batcher.checkpoint.backup import Backup, back_up, back_up_stepwise
from batcher.checkpoint.checksum import checksum
from batcher.checkpoint.connection import connected, transaction, translated
from batcher.checkpoint.encoding import carried, encoded, encoded_invalid, failed_attempts
from batcher.checkpoint.facts import remember
from batcher.checkpoint.lineage import count_backup
from batcher.checkpoint.log_sync import LogSync
from batcher.checkpoint.mending import mend
from batcher.checkpoint.opening import claim, create_or_check, set_journal
from batcher.checkpoint.ownership import Ownership
from batcher.checkpoint.pending import note_pending
from batcher.checkpoint.placement import Placement, take_back
from batcher.checkpoint.reader import CheckpointReader
from batcher.checkpoint.renumbering import Renumbering
from batcher.checkpoint.space import Free, Space, free_at
from batcher.errors import DiskFullError, Halt, OutputError, StorageError
from batcher.filesystem import spans_machines
from batcher.history import Beat, Ended
from batcher.records import InvalidAnswer, Kept, Mark, Request, Unanswered

# Leaves an outcome alone that is there already.
_INSERT = f"INSERT INTO outcomes {schema.VALUES} ON CONFLICT DO NOTHING"
_REPLACE = f"INSERT OR REPLACE INTO outcomes {schema.VALUES}"
_INSERT_INVALID = f"INSERT OR REPLACE INTO invalid_answers {schema.INVALID_VALUES}"


class Checkpoint(CheckpointReader):
    """A checkpoint that this process may write."""

    def __init__(
        self,
        path: Path,
        reader: sqlite3.Connection,
        writer: sqlite3.Connection,
        ownership: Ownership,
        log: LogSync | None,
    ) -> None:
        """Use `open`."""
        super().__init__(path, reader)
        self._writer = writer
        self._ownership = ownership
        self._log = log
        self._process = 0
        # How large the figures were that were recorded since the last beat: to write them with each
        # outcome would take half as long as the outcome itself.
        self._figures: Counter[tuple[str, int]] = Counter()
        # Outcomes are written by a thread; what calls may cost, by whoever is about to make them.
        self._access = Access(path)
        self._space = Space(path)

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path, *, shared: bool | None = None) -> Iterator[Checkpoint]:
        """Open the checkpoint for writing, creating it where there is none.

        `shared` says whether other machines reach the files; None finds out.

        Raises:
            OutputError: it cannot be created.
            StorageError: it is damaged, or of another program or version.
            LockedError: another process works on it.
        """
        if shared is None:
            shared = spans_machines(path.parent)
        try:
            # Created here, so that no moment exists in which others may read it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise OutputError(f"cannot create {path}: {error.strerror}") from None
        with connected(path) as writer, connected(path) as reader, contextlib.ExitStack() as stack:
            with translated(path):
                # Without it, REPLACE would skip the trigger that takes the old row from totals.
                writer.execute("PRAGMA recursive_triggers = ON")
                # First of all, so that the database of another program is left as it is.
                create_or_check(writer, path)
                set_journal(writer, path, "TRUNCATE" if shared else "WAL")
                with transaction(writer):
                    ownership = claim(writer, path, shared=shared)
            log = None if shared else stack.enter_context(LogSync.opened(writer, path))
            checkpoint = cls(path, reader, writer, ownership, log)
            try:
                try:
                    yield checkpoint
                finally:
                    checkpoint._access.end()
            except StorageError:
                # Calls may have ended of which nothing could be written, as if by a kill.
                raise
            except BaseException:
                # Whatever it is, it must not be hidden by a disk that fails as well.
                with contextlib.suppress(sqlite3.Error):
                    ownership.release(writer)
                raise
            with translated(path):
                ownership.release(writer)

    @property
    def shared(self) -> bool:
        """Whether other machines reach the files, so that each write is synced for itself."""
        return self._log is None

    def write(
        self,
        kept: Sequence[Kept],
        marks: Sequence[Mark] = (),
        unanswered: Sequence[Unanswered] = (),
        beats: Sequence[Beat] = (),
    ) -> None:
        """Record what is `kept`, and `marks`, in one transaction; after the next `sync` it is safe.

        An outcome takes the place of an earlier one of its row, and what that took is added to it.

        `unanswered` are calls that were sent and not answered whole, one item for each, and
        `beats` say how calls flowed.

        Raises:
            DiskFullError: there is no room; nothing was written, and it can be tried again.
            StorageError: they are not recorded; the run must end.
            LockedError: another process has taken over.
        """
        invalid = [one for one in kept if isinstance(one, InvalidAnswer)]
        outcomes = [one for one in kept if not isinstance(one, InvalidAnswer)]
        with self._writing() as connection:
            if invalid:
                connection.executemany(_INSERT_INVALID, map(encoded_invalid, invalid))
            connection.executemany(
                "INSERT INTO unanswered VALUES (?, 1, ?) "
                "ON CONFLICT DO UPDATE SET calls = calls + 1, cost = cost + excluded.cost",
                [(call.key, call.cost) for call in unanswered],
            )
            note_pending(connection, [one.of for one in invalid])
            note_pending(connection, [call.of for call in unanswered])
            rows = [encoded(outcome) for outcome in outcomes]
            if connection.executemany(_INSERT, rows).rowcount < len(rows):
                connection.executemany(_REPLACE, _called_again(connection, rows))
            for table in schema.PENDING:
                # There are rarely any, and to look for each row costs a fifth of writing it.
                if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone() == (1,):
                    connection.executemany(
                        f"DELETE FROM {table} WHERE key = ?",
                        [(outcome.key,) for outcome in outcomes],
                    )
            connection.executemany(
                "INSERT INTO failed_attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                failed_attempts(outcomes),
            )
            chronicle.count(connection, self._process, outcomes)
            if beats:
                chronicle.flow(connection, self._process, beats)
                chronicle.add_figures(connection, self._figures)
            places = [(mark.row, mark.file, mark.line, mark.offset) for mark in marks]
            connection.executemany(
                "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?)",
                [(*place, checksum(place)) for place in places],
            )
        if beats:
            self._figures.clear()
        self._figures.update(chronicle.figures_of(outcomes))

    def sync(self) -> None:
        """Bring everything written to the disk.

        Raises:
            StorageError: it may not be there; the run must end (promise 5).
        """
        if self._log is not None:
            with self._access.syncing():
                self._log.sync()

    def back_up(
        self, target: Path, run: str, *, ended: bool = False, free: Free = free_at
    ) -> Backup:
        """Copy the checkpoint of this moment to `target`, a new file; others may write meanwhile.

        One of which no backup was made belongs to `run` from now on (`lineage`). What is in it is
        on the disk here too when this returns. With `ended`, no process is named as working on it.

        Raises:
            DiskFullError: there is no room for it, or what there is should stay free for answers.
            StorageError: the checkpoint or the copy cannot be read or written.
            LockedError: another process has taken over.
            ClosedError: the checkpoint is closed meanwhile.
        """
        room = self._space.begin(free)

        def go_on() -> None:
            self._access.go_on()
            room()

        with self._access.backing_up():
            with self._writing() as connection:
                count_backup(connection, self.path, run)
            if self._log is not None:
                backup = back_up(self.path, target, go_on, ended=ended)
            else:
                backup = back_up_stepwise(
                    self._writer, self._access.lock, self.path, target, go_on, ended=ended
                )
            self.sync()
        return backup

    def expect(self, calls: int) -> None:
        """Put down that so many calls may come to be in flight: a kill may lose them all."""
        with self._writing() as connection:
            self._ownership.expect(connection, calls)

    def begin_process(self, second: int) -> None:
        """Put down that this process begins to make calls, in this second since 1970 UTC."""
        with self._writing() as connection:
            self._process = chronicle.begin(connection, second)

    def end_process(
        self, ended: Ended, beats: Sequence[Beat] = (), halt: Halt | None = None
    ) -> None:
        """Put down how this process ended, why if it stopped itself, and the last `beats`."""
        with self._writing() as connection:
            chronicle.flow(connection, self._process, beats)
            chronicle.add_figures(connection, self._figures)
            chronicle.end(connection, self._process, ended, halt)

    def remember(self, **facts: object) -> None:
        """Remember JSON-like facts about the run, all in one transaction, for good."""
        with self._writing() as connection:
            remember(connection, facts)
        self.sync()

    @contextlib.contextmanager
    def placement(self, samples: int | None = None) -> Iterator[Placement]:
        """Yield an empty placement of a changed input beside the recorded outcomes.

        With `samples`, the answers that each row had and has, rows without an id are found under
        another number.

        What it applies is committed at the end of the `with` block, or undone by an exception;
        nothing else can be written meanwhile.

        Raises:
            StorageError: a recorded outcome is not what was written.
        """
        # A damaged key would look like that of an edited row, and be paid again.
        for table in ("outcomes", "shelved"):
            for _ in self._intact(table):
                pass
        with self._writing() as connection:
            renumbering = Renumbering(connection, self.path, samples) if samples else None
            yield Placement(connection, renumbering)
        self.sync()

    def take_back(self, request: Request) -> None:
        """Let what is set aside under the key of a request be the outcome of its row again."""
        with self._writing() as connection:
            take_back(connection, request)

    def mend(self) -> int:
        """Drop what is damaged; return how many rows of the input are pending again by it.

        Raises:
            StorageError: the damage goes deeper; only a copy helps.
        """
        with self._writing() as connection:
            dropped = mend(connection, self.path)
        self.sync()
        return dropped

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction, as long as the checkpoint is ours."""
        with self._access.writing():
            try:
                with translated(self.path), transaction(self._writer):
                    self._ownership.assure(self._writer)
                    yield self._writer
            except DiskFullError:
                self._space.full = True
                raise
            if self._log is not None:
                self._log.shorten()


def _called_again(
    connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]
) -> Iterator[tuple[object, ...]]:
    """Yield those of `rows` that were not added, since each has an earlier outcome."""
    for row in rows:
        found = connection.execute(
            f"SELECT {schema.COLUMNS} FROM outcomes WHERE row = ?", row[:1]
        ).fetchone()
        if found != row:
            yield carried(row, found)
