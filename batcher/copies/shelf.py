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
from batcher.copies.turns import Turns, held
from batcher.errors import LockedError, StorageError


@dataclass(slots=True)
class Shelf:
    """What lies in a `store`, as long as no other process claims it.

    A sign of life is given at least each `every` seconds. Of processes that claim it at the same
    moment one gets it (`turns`). Before each write it is made sure that the place is still ours;
    that is no lock: one that was silent, and so was followed, finds out at its next look. `process`
    is the one that claims it, and `pause` lets seconds pass.
    """

    store: Store
    every: float
    clock: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep
    process: Process = field(default_factory=Process.this)
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
            StorageError: the store cannot be used, is one of another version, or has copies of
                which nobody knows which one counts.
        """
        self._since = self.clock()
        # Before anything is written there, which would concern others that start.
        self._free()
        turns = Turns(self.store, self.clock, self.pause)
        with self._lock, turns.alone(self._latest().writer):
            # Whoever worked on it may have ended meanwhile, and made its last copy.
            if (found := self._free()) is not None:
                self.run, self.copy = found.run, found.copy
            elif copies := [name for name in self.store.names() if is_made(name)]:
                raise StorageError(
                    f"{self.store.url} has copies ({copies[-1]}), but no {NAME}, which names the "
                    "one that counts. Put it back; or move them away, and every row is called anew"
                )
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
        # Listed before the look: whoever put one of them there for itself has claimed the place.
        names = self.store.names()
        with self._lock:
            used = self._assure().files()
        for name in names:
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

    def _free(self) -> Latest | None:
        """Return what was left there, by a process that does not work on the run any more.

        Raises:
            LockedError: it may.
        """
        found, now = self._found(), self.clock()
        if found is not None and found.writer.may_live(now):
            raise LockedError(held(self.store.url, found.writer, now))
        return found

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
        now = self.clock()
        return Latest(
            run=self.run,
            writer=Writer(
                **self.process._asdict(),
                token=self.token,
                since=self._since,
                seen=now,
                every=self.every,
                at_work=at_work,
            ),
            copy=self.copy,
        )
