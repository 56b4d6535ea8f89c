"""Which of two checkpoints has all that the other has."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.checkpoint.lineage import Lineage, Step, begin_line, lineage_of
from batcher.errors import StorageError
from batcher.records import Success


def _lineage(*steps: tuple[str, int]) -> Lineage:
    return Lineage(tuple(Step(*step) for step in steps))


@pytest.mark.parametrize(
    ("here", "backup", "holds"),
    [
        (_lineage(("a", 3)), _lineage(("a", 3)), True),
        (_lineage(("a", 4)), _lineage(("a", 3)), True),
        (_lineage(("a", 2)), _lineage(("a", 3)), False),
        (_lineage(("a", 3), ("b", 0)), _lineage(("a", 3)), True),
        (_lineage(("a", 3), ("b", 9)), _lineage(("a", 4)), False),
        (_lineage(("a", 9)), _lineage(("a", 3), ("b", 1)), False),
        (_lineage(("a", 3), ("c", 5)), _lineage(("a", 3), ("b", 1)), False),
    ],
    ids=[
        *("the same", "backed up since", "put back from older", "goes on with it"),
        *("it went on without us", "taken up elsewhere", "both went on"),
    ],
)
def test_a_checkpoint_holds_the_backups_before_it_on_its_own_lines(
    here: Lineage, backup: Lineage, *, holds: bool
) -> None:
    assert here.holds(backup) is holds
    assert here.run == backup.run


def test_another_run_is_told_by_its_first_line() -> None:
    assert _lineage(("a", 1)).run != _lineage(("b", 1), ("a", 1)).run


def test_where_there_is_no_checkpoint_yet_there_is_no_lineage(path: Path) -> None:
    assert lineage_of(path) is None
    # What a kill leaves while it is created.
    path.touch()
    assert lineage_of(path) is None


def test_a_checkpoint_of_which_no_backup_was_made_has_no_lineage(path: Path) -> None:
    with Checkpoint.open(path):
        assert lineage_of(path) is None


@settings(max_examples=15)
@given(moves=st.lists(st.sampled_from(["back up", "take up"]), max_size=12))
def test_whoever_goes_on_with_the_latest_backup_holds_every_backup_before(
    make_path: Callable[[], Path], moves: list[str]
) -> None:
    """However often the run moves, to another host or not."""
    here, seen = make_path(), list[Lineage]()
    with Checkpoint.open(here) as checkpoint:
        checkpoint.back_up(latest := make_path(), "run", ended=True)
    for move in moves:
        if move == "take up":
            here = Path(shutil.copy(latest, make_path()))
            begin_line(here)
        else:
            with Checkpoint.open(here) as checkpoint:
                backup = checkpoint.back_up(latest := make_path(), "run", ended=True)
            assert backup.lineage == lineage_of(latest) == lineage_of(here)
            seen.append(backup.lineage)
        now = lineage_of(here)
        assert now is not None
        assert all(now.holds(backup) for backup in seen)
        assert now.backups == len(seen) + 1


def test_two_that_began_the_same_run_apart_are_of_one_and_do_not_hold_each_other(
    tmp_path: Path,
) -> None:
    lineages = []
    for name in ("one", "two"):
        with Checkpoint.open(tmp_path / f"{name}.db") as checkpoint:
            lineages.append(checkpoint.back_up(tmp_path / f"{name}.backup", "run").lineage)
    one, two = lineages
    assert one.run == two.run == "run"
    assert not one.holds(two)
    assert not two.holds(one)


def test_two_that_go_on_with_one_backup_do_not_hold_each_other(tmp_path: Path) -> None:
    with Checkpoint.open(tmp_path / "first.db") as checkpoint:
        checkpoint.back_up(tmp_path / "backup.db", "run", ended=True)
    lineages = []
    for name in ("second.db", "third.db"):
        shutil.copy(tmp_path / "backup.db", tmp_path / name)
        begin_line(tmp_path / name)
        with Checkpoint.open(tmp_path / name) as checkpoint:
            lineages.append(checkpoint.back_up(tmp_path / f"{name}.backup", "run").lineage)
    second, third = lineages
    assert not second.holds(third)
    assert not third.holds(second)
    assert second.run == third.run == "run"


def test_each_backup_gone_on_with_whose_process_had_not_ended_is_remembered(
    path: Path, tmp_path: Path
) -> None:
    for n, ended in enumerate((False, True, False)):
        backup = tmp_path / f"backup-{n}.db"
        with Checkpoint.open(path) as checkpoint:
            checkpoint.back_up(backup, "run", ended=ended)
        assert begin_line(backup) is not ended
        path = backup
    with CheckpointReader.read(path) as checkpoint:
        assert checkpoint.counts().cut_short == 2


def test_one_that_was_mended_has_no_more_all_of_its_backups(
    path: Path, success: Callable[..., Success]
) -> None:
    backup = path.with_name("backup.db")
    with Checkpoint.open(path) as checkpoint:
        made = checkpoint.back_up(backup, "run")
        checkpoint.write([success(0)])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE outcomes SET response = 'other'")
    with Checkpoint.open(path) as checkpoint:
        assert checkpoint.mend() == 1
    mended = lineage_of(path)
    assert mended is not None
    assert not mended.holds(made.lineage)
    assert mended.run == "run"


def test_what_was_never_backed_up_is_no_backup(path: Path) -> None:
    with Checkpoint.open(path):
        pass
    with pytest.raises(StorageError, match="it is no backup"):
        begin_line(path)


def test_a_lineage_that_is_none_is_damage(path: Path) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.remember(lineage=["a"])
    with pytest.raises(StorageError, match="its lineage is none"):
        lineage_of(path)


def test_a_lineage_whose_bytes_changed_is_damage(path: Path) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.back_up(path.with_name("backup.db"), "run")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE facts SET value = '[[\"b\", 1]]' WHERE name = 'lineage'")
    with pytest.raises(StorageError, match="'lineage' is not what was written"):
        lineage_of(path)
