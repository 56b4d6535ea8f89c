"""The place of copies, claimed by one process."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from batcher.checkpoint import Process
from batcher.copies.latest import NAME, Copy, Latest, Writer, decoded, is_made
from batcher.copies.store import Store
from batcher.errors import LockedError


@dataclass(slots=True)
class Shelf:
    """What lies in a `store`, as long as no other process claims it.

    A sign of life is given at least each `every` seconds. Before each write it is made sure that
    the place is still ours; that is no lock: of two processes that look at the same moment, the one
    that wrote first finds out at its next look.
    """

    store: Store
    every: float
    clock: Callable[[], float] = time.time
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    copy: Copy | None = None
    _since: float = 0.0
    _over: bool = False
    # The keeper's threads all write here.
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self) -> Copy | None:
        """Become the one that works on the run; return the copy that counts, if there is one.

        Raises:
            LockedError: another process is, and it may be alive.
            StorageError: the store cannot be used, or is one of another version.
        """
        self._since = self.clock()
        found = self._found()
        if found is not None and found.writer.may_live(self._since):
            raise LockedError(_held(self.store.url, found.writer, self._since))
        if found is not None:
            self.run, self.copy = found.run, found.copy
        with self._lock:
            self._write()
            self._assure()
        return self.copy

    def renew(self) -> None:
        """Give a sign of life.

        Raises:
            LockedError: another process works on the run.
            StorageError: the store cannot be used.
        """
        with self._lock:
            if not self._over:
                self._assure()
                self._write()

    def put(self, copy: Copy, *, at_work: bool) -> None:
        """Let `copy`, which is there, be the one that counts.

        Without `at_work`, nobody works on the run any more.

        Raises:
            LockedError: another process works on the run; the copy does not count.
            StorageError: the store cannot be used.
        """
        with self._lock:
            self._assure()
            # Should it fail, nobody knows whether it was written; the next look tells.
            self.run, self.copy = copy.of.run, copy
            self._write(at_work=at_work)
            self._over = not at_work

    def tidy(self) -> None:
        """Remove what was put there and does not count: earlier copies, and what a kill left.

        Raises:
            LockedError: another process works on the run, and may count on any of it.
            StorageError: the store cannot be used.
        """
        with self._lock:
            used = self._assure().files()
        for name in self.store.names():
            if is_made(name) and name not in used:
                self.store.remove(name)

    def release(self) -> None:
        """Say that this process works on the run no more.

        Raises:
            LockedError: another process does.
            StorageError: the store cannot be used.
        """
        with self._lock:
            if not self._over:
                self._assure()
                self._write(at_work=False)
                self._over = True

    def _found(self) -> Latest | None:
        content = self.store.read(NAME)
        return None if content is None else decoded(content, self.store.url)

    def _assure(self) -> Latest:
        found = self._found()
        if found is None:
            # Somebody removed it. It is written again, and names what is there.
            return self._latest()
        if found.writer.token != self.token:
            raise LockedError(
                f"{found.writer} has taken over this run by its copy at {self.store.url}, so this "
                "process stops; what was recorded is safe, and is brought together when this "
                "directory is run again"
            )
        # No other process writes there: what it names is what counts.
        self.copy = found.copy
        return found

    def _write(self, *, at_work: bool = True) -> None:
        self.store.write(NAME, self._latest(at_work=at_work).encoded())

    def _latest(self, *, at_work: bool = True) -> Latest:
        process = Process.this()._asdict()
        now = self.clock()
        return Latest(
            run=self.run,
            writer=Writer(
                **process,
                token=self.token,
                since=self._since,
                seen=now,
                every=self.every,
                at_work=at_work,
            ),
            copy=self.copy,
        )


def _held(url: str, writer: Writer, now: float) -> str:
    held = f"another run keeps its copy at {url}: {writer}"
    if writer.process.is_alive():
        return f"{held}. Wait for it, or stop it"
    return (
        f"{held}; it was last seen {now - writer.seen:.0f} s ago. Should it have been killed, run "
        f"the same command again in {writer.silent_for(now):.0f} s"
    )
