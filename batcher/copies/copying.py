"""One copy: the checkpoint backed up here, brought to the store, and named there."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from batcher.checkpoint import Checkpoint, Free, free_at, state_of
from batcher.copies.files import OUTGOING, digest_of
from batcher.copies.latest import Copy, Spooled
from batcher.copies.shelf import Shelf
from batcher.errors import StorageError


@dataclass(slots=True)
class Copying:
    """Copies a checkpoint to a shelf; `spooled` are rows that came in no file, kept as one.

    `untidy` is why earlier copies could not be removed, if they could not.
    """

    checkpoint: Checkpoint
    shelf: Shelf
    spooled: Path | None = None
    clock: Callable[[], float] = time.time
    free: Free = free_at
    untidy: str | None = None
    _made: bool = False
    _put: Spooled | None = None

    def copy(self, *, last: bool = False) -> Copy | None:
        """Copy what was recorded since the copy that counts; None where nothing was.

        The `last` one is that of a run that has ended: nobody works on it after that.

        Raises:
            LockedError: another process works on the run.
            StorageError: it cannot be made (DiskFullError: there is no room for it here), or not be
                brought to the store.
        """
        before = self.shelf.copy
        if before is not None and before.state == state_of(self.checkpoint.path):
            # One that was made by the way says that its process was at work.
            if not last:
                return None
            if not self._made:
                self.shelf.release()
                return None
        made_at = self.clock()
        path = self.checkpoint.path.with_name(OUTGOING)
        try:
            backup = self.checkpoint.back_up(path, self.shelf.run, ended=last, free=self.free)
            # No two processes give it the same name.
            name = f"checkpoint-{backup.lineage.backups}-{uuid.uuid4().hex[:8]}.db"
            copy = Copy(
                name=name,
                size=path.stat().st_size,
                sha256=digest_of(path),
                lineage=backup.lineage.steps,
                rows=backup.rows,
                state=backup.state,
                made_at=made_at,
                spooled=self._spooled(before),
            )
            self.shelf.store.upload(path, name)
        finally:
            path.unlink(missing_ok=True)
        self.shelf.put(copy, at_work=not last)
        self._made = True
        try:
            self.shelf.tidy()
        except StorageError as error:
            # They only take up space, until the next copy is made.
            self.untidy = str(error)
        return copy

    def _spooled(self, before: Copy | None) -> Spooled | None:
        """Return what is kept of rows without a file, once it is in the store; it never changes."""
        if self.spooled is None or self._put is not None:
            return self._put
        sha256 = digest_of(self.spooled)
        put = Spooled(
            file=self.spooled.name,
            name=f"input-{sha256[:16]}",
            size=self.spooled.stat().st_size,
            sha256=sha256,
        )
        if before is None or before.spooled != put:
            self.shelf.store.upload(self.spooled, put.name)
        self._put = put
        return put
