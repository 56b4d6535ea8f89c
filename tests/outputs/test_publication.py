"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from batcher.errors import OutputError, StorageError
from batcher.outputs.publication import publication, writing


def _publish(directory: Path, *names: str) -> None:
    with publication(directory) as published:
        for name in names:
            published.draft(name).file.write(b"new")


def test_both_files_appear_only_when_both_are_complete(tmp_path: Path) -> None:
    with publication(tmp_path) as published:
        first, second = published.draft("a"), published.draft("b")
        first.file.write(b"1")
        second.file.write(b"2")
        assert not first.target.exists()
        assert not second.target.exists()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"1", "b": b"2"}


def test_a_draft_is_hidden_beside_its_target_and_private(tmp_path: Path) -> None:
    with publication(tmp_path) as published:
        draft = published.draft("results.parquet")
        assert draft.temporary.parent == tmp_path
        assert draft.temporary.name.startswith(".results.parquet.")
        assert draft.temporary.suffix == ".tmp"
        assert draft.temporary.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_exception_old_files_are_untouched_and_no_draft_is_left(
    tmp_path: Path, error: type[BaseException]
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def publish() -> None:
        with publication(tmp_path) as published:
            published.draft("a").file.write(b"new")
            published.draft("b")
            published.supersede(lambda name: name == "a")
            raise error

    with pytest.raises(error):
        publish()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_a_disk_that_fails_to_sync_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two files fails, after the first is already on disk."""
    (tmp_path / "a").write_bytes(b"old")
    synced: list[int] = []

    def fsync(number: int) -> None:
        synced.append(number)
        if len(synced) == 2:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match=r"cannot write .*b: Input/output error.*export again"):
        _publish(tmp_path, "a", "b")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_files_and_then_their_directory_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(number: int) -> None:
        inode = os.fstat(number).st_ino
        (name,) = [p.suffix for p in (tmp_path, *tmp_path.iterdir()) if p.stat().st_ino == inode]
        synced.append(name)

    monkeypatch.setattr(os, "fsync", fsync)
    with publication(tmp_path) as published:
        published.draft("a")
        published.draft("b")
    assert synced == [".tmp", ".tmp", ""]


def test_a_directory_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot create .*: No such file"):
        _publish(tmp_path / "gone", "a")


def test_a_directory_in_the_place_of_one_file_is_noticed_before_the_other_is_replaced(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputError, match="a directory has this name"):
        _publish(tmp_path, "a", "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_directory_in_the_place_of_a_name_given_late_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b-of-1").mkdir()

    def publish() -> None:
        with publication(tmp_path) as published:
            published.draft("a")
            published.draft("b").target = tmp_path / "b-of-1"

    with pytest.raises(OutputError, match="b-of-1: a directory has this name"):
        publish()
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_settled_draft_is_on_disk_and_closed_but_not_published(tmp_path: Path) -> None:
    with publication(tmp_path) as published:
        draft = published.draft("a")
        draft.file.write(b"1")
        draft.settle()
        assert draft.file.closed
        assert draft.temporary.read_bytes() == b"1"
        assert not draft.target.exists()
    assert draft.target.read_bytes() == b"1"


def test_superseded_files_are_gone_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("old", "other", "data/old"):
        (tmp_path / name).write_bytes(b"")
    with publication(tmp_path) as published:
        published.draft("data/new")
        published.supersede(lambda name: name == "data/old")
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["data", "data/new", "old", "other"]


@pytest.mark.parametrize("steps", range(6))
def test_an_end_between_any_two_steps_leaves_a_beginning_of_one_export_never_a_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Three old files are superseded by three new ones of the same names."""
    names = ["p-0", "p-1", "p-2"]
    for name in names:
        (tmp_path / name).write_bytes(b"old")
    done: list[str] = []
    unlink, replace = Path.unlink, Path.replace

    def step() -> None:
        if len(done) == steps:
            raise KeyboardInterrupt
        done.append("")

    def unlinked(path: Path, *, missing_ok: bool = False) -> None:
        if path.suffix != ".tmp":
            step()
        unlink(path, missing_ok=missing_ok)

    def replaced(path: Path, target: Path) -> Path:
        step()
        return replace(path, target)

    monkeypatch.setattr(Path, "unlink", unlinked)
    monkeypatch.setattr(Path, "replace", replaced)

    def publish() -> None:
        with publication(tmp_path) as published:
            for name in names:
                published.draft(name).file.write(b"new")
            published.supersede(names.__contains__)

    with pytest.raises(KeyboardInterrupt):
        publish()
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    contents = set(left.values())
    assert sorted(left) == names[: len(left)]
    assert len(contents) <= 1
    assert contents <= ({b"old"} if steps <= 3 else {b"new"})


def test_an_error_of_the_system_names_the_file_and_the_way_out() -> None:
    with (
        pytest.raises(StorageError, match=r"results\.csv: No space left.*make room") as raised,
        writing(Path("results.csv")),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert isinstance(raised.value.__cause__, OSError)
