"""The law of copies: what is named is whole, and whoever goes on has all of it."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.copies import Copying, Shelf, take_up
from batcher.copies.latest import NAME
from tests.copies.memory import Clock, KilledError, Memory, made_success


@dataclass(frozen=True)
class Process:
    """A process on one of two hosts: rows it records before each copy, and when it is killed.

    That is at so many operations of the store, before it is done or after; `lost` says that the
    host's directory is gone after that.
    """

    host: int
    rows: list[int]
    killed_at: int | None
    late: bool
    lost: bool


_PROCESSES = st.builds(
    Process,
    host=st.integers(0, 1),
    rows=st.lists(st.integers(0, 2), max_size=3),
    killed_at=st.none() | st.integers(0, 24),
    late=st.booleans(),
    lost=st.booleans(),
)


@dataclass
class World:
    """Two hosts, one store, and a row for each answer that was ever paid."""

    folder: Path
    store: Memory = field(default_factory=Memory)
    clock: Clock = field(default_factory=Clock)
    paid: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    def live(self, process: Process) -> None:
        """Let a process live, until it ends or is killed."""
        left = [process.killed_at]

        def count(_verb: str, _name: str) -> None:
            if left[0] == 0:
                raise KilledError
            left[0] = None if left[0] is None else left[0] - 1

        self.clock.now += 1_000
        self.store.before, self.store.late = count, process.late
        with contextlib.suppress(KilledError):
            self._run(process)
        self.store.before = lambda _verb, _name: None
        if process.lost:
            shutil.rmtree(self.folder / str(process.host), ignore_errors=True)

    def _run(self, process: Process) -> None:
        path = self.folder / str(process.host) / "checkpoint.db"
        path.parent.mkdir(exist_ok=True)
        shelf = Shelf(self.store, 60.0, self.clock)
        named, here, spent = self.named(), self.rows(path), self.spent(path)
        copy = shelf.claim()
        take_up(self.store, copy, path)
        # Nothing that is named, and nothing that lies here, is called again.
        assert named | here <= self.rows(path)
        # What may have been spent from here counts against a ceiling, whatever came of it.
        assert self.spent(path) >= spent
        with Checkpoint.open(path) as checkpoint:
            copying = Copying(checkpoint, shelf, clock=self.clock)
            for rows in process.rows:
                checkpoint.remember(spent_cost=self.spent(path) + 1)
                checkpoint.write([made_success(next(self.paid)) for _ in range(rows)])
                copying.copy()
            copying.copy(last=True)

    def named(self) -> set[int]:
        """Return the rows of the copy that is named, which must be whole."""
        if NAME not in self.store.files or (copy := self.store.latest().copy) is None:
            return set()
        content = self.store.files[copy.name]
        assert len(content) == copy.size
        assert hashlib.sha256(content).hexdigest() == copy.sha256
        path = self.folder / "looked-at.db"
        path.write_bytes(content)
        rows = self.rows(path)
        assert len(rows) == copy.rows
        return rows

    def rows(self, path: Path) -> set[int]:
        """Return the rows of a checkpoint, none where there is none."""
        if not path.exists():
            return set()
        with CheckpointReader.read(path) as checkpoint:
            return {outcome.row for outcome in checkpoint.outcomes()}

    def spent(self, path: Path) -> int:
        """Return what may have been spent by the processes of a checkpoint."""
        if not path.exists():
            return 0
        with CheckpointReader.read(path) as checkpoint:
            spent = checkpoint.fact("spent_cost")
        return spent if isinstance(spent, int) else 0


_NO_ANSWER = Process(0, [0, 0], killed_at=None, late=False, lost=False)


@settings(max_examples=15)
@example(processes=[replace(_NO_ANSWER, killed_at=13), _NO_ANSWER])
@given(processes=st.lists(_PROCESSES, min_size=2, max_size=6))
def test_however_processes_are_killed_no_copy_is_named_that_is_not_whole_and_none_is_forgotten(
    tmp_path_factory: pytest.TempPathFactory, processes: list[Process]
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    named: set[int] = set()
    for process in processes:
        world.live(process)
        # A row that was named once is never forgotten, for whoever goes on has it.
        assert named <= world.named()
        named = world.named()
    world.live(Process(0, [1], None, late=False, lost=False))
    latest = world.store.latest()
    assert {*world.store.files} == {NAME, *latest.files()}
    assert not latest.writer.at_work
