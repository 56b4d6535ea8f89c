"""Which checkpoint a run goes on with, and what becomes of the other."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import stat
from collections.abc import Callable, Sequence
from functools import partialmethod
from pathlib import Path

import msgspec
import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.copies import Copying, Shelf, give_back, take_up
from batcher.copies.files import INCOMING, OUTGOING
from batcher.copies.latest import NAME
from batcher.errors import ConfigurationError, StorageError
from tests.copies.memory import Clock, KilledError, Memory, made_success

Move = Callable[[Path, Path], object]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Where the checkpoint of the same run lies on another host."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere" / "checkpoint.db"


def _rows(path: Path) -> list[int]:
    with CheckpointReader.read(path) as checkpoint:
        return [outcome.row for outcome in checkpoint.outcomes()]


def _record(path: Path, *rows: int) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([made_success(row) for row in rows])


def _killed(path: Path, calls: int) -> None:
    """Leave the checkpoint as a process does that is killed with so many calls in flight."""
    with contextlib.suppress(StorageError), Checkpoint.open(path) as checkpoint:
        checkpoint.expect(calls)
        raise StorageError("as if killed")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE owner SET pid = 1, ticks = 'long ago'")


def _killed_calls(path: Path) -> int:
    with CheckpointReader.read(path) as checkpoint:
        return checkpoint.counts().killed_calls


def _files(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def _taken_up(store: Memory, path: Path) -> str | None:
    taken = take_up(store, store.latest().copy, path)
    return None if taken is None else taken.told


def test_where_there_is_no_copy_yet_nothing_is_done_but_to_remove_leftovers(
    store: Memory, path: Path
) -> None:
    for name in (OUTGOING, INCOMING, f"{INCOMING}-journal", f"{INCOMING}.input"):
        path.with_name(name).touch()
    assert take_up(store, None, path) is None
    assert _files(path) == []


def test_where_the_directory_has_nothing_the_copy_is_taken_and_that_is_said(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    copy_of(path, 0, 1, 2)
    told = _taken_up(store, elsewhere)
    assert told is not None
    assert told.startswith("Going on with copy 1 of 2027-01-15 08:00:00 UTC, 3 rows, from memory")
    assert _rows(elsewhere) == [0, 1, 2]
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600
    assert _files(elsewhere) == ["checkpoint.db"]


def test_a_checkpoint_in_which_nothing_was_recorded_makes_room(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    """As that of a first start that ended before its first call."""
    copy_of(path, 0)
    _record(elsewhere)
    assert _taken_up(store, elsewhere) is not None
    assert _rows(elsewhere) == [0]
    assert _files(elsewhere) == ["checkpoint.db"]


def test_a_checkpoint_that_has_all_of_the_copy_is_gone_on_with(
    store: Memory, path: Path, copy_of: Callable[..., None]
) -> None:
    """Nothing is downloaded for it."""
    copy_of(path, 0)
    _record(path, 1)
    store.before = lambda verb, _name: pytest.fail(verb) if verb == "download" else None
    assert _taken_up(store, path) is None
    assert _rows(path) == [0, 1]


def test_a_checkpoint_whose_process_was_killed_before_any_outcome_is_gone_on_with_as_well(
    store: Memory, path: Path, copy_of: Callable[..., None]
) -> None:
    """It alone knows what was in flight then, and what that may have spent."""
    copy_of(path, last=False)
    with Checkpoint.open(path) as checkpoint:
        checkpoint.remember(spent_cost=7)
    for kills in (1, 2):
        _killed(path, calls=2)
        assert _taken_up(store, path) is None
        _record(path)
        assert _killed_calls(path) == 2 * kills
    with CheckpointReader.read(path) as checkpoint:
        assert checkpoint.fact("spent_cost") == 7
        assert checkpoint.counts().cut_short == 0


def test_what_it_alone_knows_is_brought_into_a_copy_that_was_carried_on_elsewhere(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    copy_of(path, last=False)
    with Checkpoint.open(path) as checkpoint:
        checkpoint.remember(spent_cost=7)
    _killed(path, calls=2)
    _taken_up(store, elsewhere)
    copy_of(elsewhere, 0)
    assert "set aside as checkpoint.aside-1.db" in (_taken_up(store, path) or "")
    assert _rows(path) == [0]
    assert _killed_calls(path) == 2
    with CheckpointReader.read(path) as checkpoint:
        assert checkpoint.fact("spent_cost") == 7 + checkpoint.counts().most_cost


def test_a_run_that_was_carried_on_elsewhere_is_gone_on_with_there(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    """And what only the directory had recorded is not paid again."""
    copy_of(path, 0)
    _record(path, 1, 2)
    _taken_up(store, elsewhere)
    copy_of(elsewhere, 3)
    told = _taken_up(store, path)
    assert told is not None
    aside = "checkpoint.aside-1.db"
    assert f"set aside as {aside}; 2 outcomes that only {aside} had brought in" in told
    assert _rows(path) == [0, 1, 2, 3]
    assert _rows(path.with_name("checkpoint.aside-1.db")) == [0, 1, 2]


def test_it_goes_on_here_after_that(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    copy_of(path, 0)
    _taken_up(store, elsewhere)
    copy_of(elsewhere, 1)
    assert _taken_up(store, path) is not None
    copy_of(path, 2)
    assert _taken_up(store, path) is None
    _taken_up(store, elsewhere)
    assert _rows(elsewhere) == _rows(path) == [0, 1, 2]


def test_two_hosts_that_take_turns_leave_nothing_aside(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    """The copy has all that the one that comes back has, also where that did nothing itself."""
    copy_of(path, 0)
    _taken_up(store, elsewhere)
    for turn in (1, 3):
        copy_of(path, turn)
        _taken_up(store, elsewhere)
        copy_of(elsewhere, turn + 1)
        told = _taken_up(store, path)
        assert told is not None
        assert "aside" not in told
    assert _rows(path) == [0, 1, 2, 3, 4]
    assert _files(path) == _files(elsewhere) == ["checkpoint.db"]


def test_of_one_that_lags_behind_what_was_in_flight_at_its_end_is_counted(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    """No backup knows of it; so it is set aside once more, and its results count once."""
    copy_of(path, 0)
    _taken_up(store, elsewhere)
    copy_of(elsewhere, 1)
    _killed(path, calls=3)
    assert "checkpoint.aside-1.db" in (_taken_up(store, path) or "")
    with CheckpointReader.read(path) as reader:
        assert reader.counts().killed_calls == 3
        assert reader.counts().prompt_tokens == 20


def test_of_a_copy_that_was_made_on_the_way_it_is_said_that_more_was_called(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    """No number of calls in flight is claimed: the copy may be many calls old."""
    copy_of(path, 0, last=False)
    told = _taken_up(store, elsewhere)
    assert told is not None
    assert told.endswith("; what was called after it is called again, and is in no count")
    with CheckpointReader.read(elsewhere) as checkpoint:
        assert (checkpoint.counts().cut_short, checkpoint.counts().killed_calls) == (1, 0)
    copy_of(elsewhere, 1)
    told = _taken_up(store, path)
    assert told is not None
    assert "in no count" not in told


def test_what_a_mended_checkpoint_has_lost_comes_back_from_the_copy(
    store: Memory, path: Path, copy_of: Callable[..., None]
) -> None:
    copy_of(path, 0, 1, 2)
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.mend() == 0
    assert _taken_up(store, path) is None
    _record(path, 3)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE outcomes SET response = 'other' WHERE row = 1")
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.mend() == 1
    assert _rows(path) == [0, 2, 3]
    assert _taken_up(store, path) is not None
    assert _rows(path) == [0, 1, 2, 3]
    copy_of(path, 4)
    assert _taken_up(store, path) is None


def test_the_log_of_a_checkpoint_that_is_gone_is_not_laid_over_the_copy(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    """As a kill leaves it, of a checkpoint that somebody removed so that the copy is taken."""
    copy_of(path, 0, 1, 2)
    _record(elsewhere, 0)
    with Checkpoint.open(elsewhere) as checkpoint:
        checkpoint.write([made_success(7)])
        log = elsewhere.with_name("checkpoint.db-wal").read_bytes()
    elsewhere.unlink()
    elsewhere.with_name("checkpoint.db-wal").write_bytes(log)
    _taken_up(store, elsewhere)
    assert _rows(elsewhere) == [0, 1, 2]


def test_a_directory_put_back_from_an_older_time_takes_the_copy(
    store: Memory, path: Path, tmp_path: Path, copy_of: Callable[..., None]
) -> None:
    copy_of(path, 0)
    shutil.copy(path, tmp_path / "older.db")
    copy_of(path, 1)
    shutil.copy(tmp_path / "older.db", path)
    assert _taken_up(store, path) is not None
    assert _rows(path) == [0, 1]


def _killed_while_sending(verb: str, _name: str) -> None:
    if verb == "upload":
        raise KilledError


def test_two_hosts_that_began_a_run_apart_bring_together_what_they_have(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    """The first was killed while it sent its first copy; the second knew only that it had begun."""
    store.before = _killed_while_sending
    with pytest.raises(KilledError):
        copy_of(path, 0)
    store.before = lambda _verb, _name: None
    assert store.latest().copy is None
    copy_of(elsewhere, 1)
    assert _taken_up(store, path) is not None
    assert _rows(path) == [0, 1]


def test_as_many_copies_as_elsewhere_are_not_the_same_copies(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    """The first host was killed while it sent its second copy; another one made a second, too."""
    copy_of(path, 0)
    store.before = _killed_while_sending
    with pytest.raises(KilledError):
        copy_of(path, 1)
    store.before = lambda _verb, _name: None
    _taken_up(store, elsewhere)
    copy_of(elsewhere, 2)
    assert _taken_up(store, path) is not None
    assert _rows(path) == [0, 1, 2]


def test_one_that_was_never_copied_and_may_have_spent_something_is_of_another_run(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None]
) -> None:
    _killed(elsewhere, calls=2)
    copy_of(path, 0)
    with pytest.raises(ConfigurationError, match="different runs"):
        _taken_up(store, elsewhere)
    _record(elsewhere)
    assert _killed_calls(elsewhere) == 2


@pytest.mark.parametrize("copied", [False, True], ids=["never copied", "copied to another place"])
def test_a_directory_of_another_run_is_refused_with_the_ways_out(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None], *, copied: bool
) -> None:
    _record(elsewhere, 7)
    if copied:
        shelf = Shelf(Memory(), 60.0)
        with Checkpoint.open(elsewhere) as checkpoint:
            Copying(checkpoint, shelf).copy()
    copy_of(path, 0)
    with pytest.raises(ConfigurationError, match=r"different runs.*-o.*--sync-checkpoint"):
        _taken_up(store, elsewhere)
    assert _rows(elsewhere) == [7]


def _copied_with(spooled: Path | None, store: Memory, clock: Clock, path: Path) -> None:
    """Let a process copy its checkpoint, and the rows that came in no file, and end."""
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([made_success(0)])
        Copying(checkpoint, shelf, spooled).copy(last=True)


def test_rows_that_came_in_no_file_come_along(
    store: Memory, clock: Clock, path: Path, elsewhere: Path
) -> None:
    spooled = path.with_name("stdin.jsonl")
    spooled.write_text('{"prompt": "one"}\n')
    _copied_with(spooled, store, clock, path)
    _taken_up(store, elsewhere)
    assert elsewhere.with_name("stdin.jsonl").read_bytes() == spooled.read_bytes()
    assert _files(elsewhere) == ["checkpoint.db", "stdin.jsonl"]


@pytest.mark.parametrize("spools", [True, False])
def test_a_copy_with_which_nothing_was_done_is_given_back_whole(
    store: Memory, clock: Clock, path: Path, elsewhere: Path, *, spools: bool
) -> None:
    spooled = path.with_name("stdin.jsonl") if spools else None
    if spooled is not None:
        spooled.write_text('{"prompt": "one"}\n')
    _copied_with(spooled, store, clock, path)
    copy = store.latest().copy
    assert copy is not None
    assert take_up(store, copy, elsewhere) is not None
    give_back(copy, elsewhere)
    assert _files(elsewhere) == []


@pytest.mark.parametrize("kind", ["gone", "cut", "of another version"])
def test_a_copy_that_cannot_be_gone_on_with_is_named_and_the_directory_is_as_it_was(
    store: Memory, path: Path, elsewhere: Path, copy_of: Callable[..., None], kind: str
) -> None:
    copy_of(path, 0)
    latest = store.latest()
    assert latest.copy is not None
    content = store.files[latest.copy.name]
    if kind == "gone":
        del store.files[latest.copy.name]
    elif kind == "cut":
        store.files[latest.copy.name] = content[:-1]
    else:
        # The version stands at a fixed place of SQLite's header.
        other = content[:60] + (99).to_bytes(4, "big") + content[64:]
        sha256 = hashlib.sha256(other).hexdigest()
        copy = msgspec.structs.replace(latest.copy, sha256=sha256)
        store.files[latest.copy.name] = other
        store.files[NAME] = msgspec.structs.replace(latest, copy=copy).encoded()
    with pytest.raises(StorageError, match=r"there is no|is not what was put|schema version 99"):
        _taken_up(store, elsewhere)
    assert not elsewhere.exists()


def test_wherever_it_is_killed_the_next_start_has_all_that_either_had(
    store: Memory,
    path: Path,
    elsewhere: Path,
    copy_of: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before and after each file changes its name."""
    copy_of(path, 0)
    _record(path, 1)
    _taken_up(store, elsewhere)
    copy_of(elsewhere, 2)
    before = {entry.name: entry.read_bytes() for entry in path.parent.iterdir()}
    moves = 0
    for late in (False, True):
        for name in ("rename", "replace"):
            for entry in path.parent.iterdir():
                entry.unlink()
            for file, content in before.items():
                path.with_name(file).write_bytes(content)
            move = getattr(Path, name)

            def killed(file: Path, target: Path, moves: Sequence[Move]) -> None:
                for move in moves:
                    move(file, target)
                raise KilledError

            with monkeypatch.context() as patch:
                patch.setattr(Path, name, partialmethod(killed, moves=[move] if late else []))
                with pytest.raises(KilledError):
                    _taken_up(store, path)
            moves += 1
            _taken_up(store, path)
            assert _rows(path) == [0, 1, 2]
    assert moves == 4
