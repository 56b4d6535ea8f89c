"""Processes that start at the same moment, whose requests come to a store in any order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from batcher.checkpoint import Process
from batcher.copies import Copy, Shelf
from batcher.errors import LockedError
from tests.copies.memory import Clock, KilledError, Memory

_DEADLINE_S = 30.0


def _semaphore() -> threading.Semaphore:
    return threading.Semaphore(0)


@dataclass
class Host:
    """A machine on which one process claims a place, one request at a time, each when it is told.

    So one that takes long is one that is told late.
    """

    name: str
    store: Memory
    clock: Clock
    won: bool = False
    ended: bool = False
    copy: Copy | None = None
    _killed: bool = False
    _go: threading.Semaphore = field(default_factory=_semaphore)
    _at_gate: threading.Semaphore = field(default_factory=_semaphore)

    def __post_init__(self) -> None:
        process = Process(self.name, f"boot-{self.name}", "pid:[1]", 7, "1")
        # The files are those of all.
        store = Memory(self.store.files, before=lambda _verb, _name: self._gate())
        self.shelf = Shelf(store, 60.0, self.clock, lambda _seconds: self._gate(), process)
        threading.Thread(target=self._claim, daemon=True).start()
        assert self._at_gate.acquire(timeout=_DEADLINE_S)

    def step(self) -> None:
        """Let it do one request, or wait once."""
        self._go.release()
        assert self._at_gate.acquire(timeout=_DEADLINE_S)

    def kill(self) -> None:
        """Let it do nothing any more."""
        self._killed = True
        self.step()

    def _gate(self) -> None:
        self._at_gate.release()
        assert self._go.acquire(timeout=_DEADLINE_S)
        if self._killed:
            raise KilledError

    def _claim(self) -> None:
        try:
            self.copy = self.shelf.claim()
            self.won = True
        except (LockedError, KilledError):
            pass
        finally:
            self.ended = True
            self._at_gate.release()


def run(hosts: Sequence[Host], picks: Sequence[int]) -> None:
    """Let them do a request each as `picks` says, then in turn, until all have ended."""
    for turn in count():
        left = [host for host in hosts if not host.ended]
        if not left:
            return
        left[(picks[turn] if turn < len(picks) else turn) % len(left)].step()
