"""A run of which copies are kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint
from batcher.copies import Copying, Shelf
from tests.copies.memory import Clock, Memory, made_success


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the checkpoint of a run lies."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / "checkpoint.db"


@pytest.fixture
def copy_of(store: Memory, clock: Clock) -> Callable[..., None]:
    """Return what records rows in a checkpoint and copies it, as one process does."""

    def copied(path: Path, *rows: int, last: bool = True) -> None:
        shelf = Shelf(store, 60.0, clock)
        shelf.claim()
        with Checkpoint.open(path) as checkpoint:
            checkpoint.write([made_success(row) for row in rows])
            Copying(checkpoint, shelf, clock=clock).copy(last=last)
        if not last:
            shelf.release()

    return copied
