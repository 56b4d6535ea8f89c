"""One copy of a checkpoint, made and named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.copies import Copying, Shelf
from batcher.copies.files import OUTGOING
from batcher.copies.latest import NAME
from batcher.errors import DiskFullError, StorageError
from tests.copies.memory import Clock, Memory, made_success


def _rows(store: Memory, folder: Path) -> list[int]:
    """Return the rows of the copy that counts."""
    copy = store.latest().copy
    assert copy is not None
    path = folder / "looked-at.db"
    path.write_bytes(store.files[copy.name])
    with CheckpointReader.read(path) as checkpoint:
        return [outcome.row for outcome in checkpoint.outcomes()]


def test_a_copy_has_what_was_recorded_and_the_one_before_is_gone(
    store: Memory, clock: Clock, path: Path, tmp_path: Path
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    with Checkpoint.open(path) as checkpoint:
        copying = Copying(checkpoint, shelf, clock=clock)
        for row in range(3):
            checkpoint.write([made_success(row)])
            copy = copying.copy()
            assert copy is not None
            assert (copy.rows, copy.of.backups, copy.made_at) == (row + 1, row + 1, clock.now)
            assert _rows(store, tmp_path) == [*range(row + 1)]
            assert {*store.files} == {NAME, copy.name}
        assert not path.with_name(OUTGOING).exists()


def test_where_nothing_was_recorded_since_nothing_is_sent(
    store: Memory, clock: Clock, path: Path
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([made_success(0)])
        Copying(checkpoint, shelf).copy()
        checkpoint.begin_process(5)
        before = dict(store.files)
        assert Copying(checkpoint, shelf).copy() is None
        assert store.files == before


def test_a_finished_run_that_is_started_again_sends_nothing_but_that_it_is_over(
    store: Memory, path: Path, copy_of: Callable[..., None]
) -> None:
    copy_of(path, 0, 1)
    before = {name: content for name, content in store.files.items() if name != NAME}
    copy_of(path)
    assert {name: content for name, content in store.files.items() if name != NAME} == before
    assert not store.latest().writer.at_work


def test_the_last_copy_of_a_process_names_no_process_though_nothing_was_recorded_since(
    store: Memory, clock: Clock, path: Path, tmp_path: Path
) -> None:
    """Else the run could not be taken up while that process lives, as a notebook's does."""
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([made_success(0)])
        copying = Copying(checkpoint, shelf)
        copying.copy()
        by_the_way = store.latest().copy
        assert by_the_way is not None
        (tmp_path / "by-the-way.db").write_bytes(store.files[by_the_way.name])
        assert copying.copy(last=True) is not None
    copy = store.latest().copy
    assert copy is not None
    (tmp_path / "last.db").write_bytes(store.files[copy.name])
    with CheckpointReader.read(tmp_path / "by-the-way.db") as reader:
        assert reader.writer() == f"process {os.getpid()} on {os.uname().nodename}"
    with CheckpointReader.read(tmp_path / "last.db") as last:
        assert last.writer() is None


def test_rows_that_came_in_no_file_are_put_beside_it_once(
    store: Memory, clock: Clock, path: Path
) -> None:
    spooled = path.with_name("stdin.jsonl")
    spooled.write_text('{"prompt": "one"}\n')
    sent = []
    store.before = lambda verb, name: sent.append(name) if verb == "upload" else None
    shelf = Shelf(store, 60.0, clock)
    for row in range(2):
        shelf.claim()
        with Checkpoint.open(path) as checkpoint:
            copying = Copying(checkpoint, shelf, spooled)
            for part in (0, 1):
                checkpoint.write([made_success(10 * row + part)])
                copying.copy()
    assert sum(name.startswith("input-") for name in sent) == 1
    copy = store.latest().copy
    assert copy is not None
    assert copy.spooled is not None
    assert copy.spooled.file == "stdin.jsonl"
    assert store.files[copy.spooled.name] == spooled.read_bytes()
    assert {*store.files} == {NAME, copy.name, copy.spooled.name}


def test_other_rows_take_the_place_of_those_before(store: Memory, clock: Clock, path: Path) -> None:
    spooled = path.with_name("stdin.jsonl")
    shelf = Shelf(store, 60.0, clock)
    for row, text in enumerate(("one", "two")):
        spooled.write_text(text)
        shelf.claim()
        with Checkpoint.open(path) as checkpoint:
            checkpoint.write([made_success(row)])
            Copying(checkpoint, shelf, spooled).copy()
    copy = store.latest().copy
    assert copy is not None
    assert copy.spooled is not None
    assert store.files[copy.spooled.name] == b"two"
    assert len(store.files) == 3


def test_a_copy_that_cannot_be_sent_leaves_the_one_before_and_nothing_here(
    store: Memory, clock: Clock, path: Path
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()

    def fail(verb: str, _name: str) -> None:
        if verb == "upload":
            raise StorageError("no route to host")

    with Checkpoint.open(path) as checkpoint:
        copying = Copying(checkpoint, shelf)
        checkpoint.write([made_success(0)])
        first = copying.copy()
        checkpoint.write([made_success(1)])
        store.before = fail
        with pytest.raises(StorageError, match="no route to host"):
            copying.copy()
        assert store.latest().copy == first
        assert not path.with_name(OUTGOING).exists()
        store.before = lambda _verb, _name: None
        again = copying.copy()
        assert again is not None
        assert again.rows == 2


def test_where_there_is_no_room_for_a_copy_none_is_made_until_there_is(
    store: Memory, clock: Clock, path: Path
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    free = 0
    with Checkpoint.open(path) as checkpoint:
        copying = Copying(checkpoint, shelf, free=lambda _: free)
        checkpoint.write([made_success(0)])
        with pytest.raises(DiskFullError, match="no room for it"):
            copying.copy()
        assert not path.with_name(OUTGOING).exists()
        assert store.latest().copy is None
        checkpoint.write([made_success(1)])
        free = 2**40
        copy = copying.copy()
        assert copy is not None
        assert copy.rows == 2
