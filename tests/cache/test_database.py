"""The file of a cache: created, recognised, refused."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest

from batcher.cache.database import VERSION, connected, prepared
from batcher.errors import OutputError, StorageError


def _journal(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    return str(mode)


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = prepared(tmp_path / "new" / "cache")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_it_is_found_again(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    with connected(path) as connection:
        connection.execute("INSERT INTO answers VALUES ('key', 1, x'00', 2)")
    assert prepared(tmp_path) == path
    with connected(path) as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (1,)


def test_there_is_no_write_ahead_log_where_machines_share_the_disk(tmp_path: Path) -> None:
    path = prepared(tmp_path, shared=False)
    assert _journal(path) == "wal"
    assert prepared(tmp_path, shared=True) == path
    assert _journal(path) == "delete"


def test_while_another_run_reads_it_its_journal_stays_as_it_is(tmp_path: Path) -> None:
    path = prepared(tmp_path, shared=True)
    with connected(path) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM answers").fetchone()
        assert prepared(tmp_path, shared=False) == path
    assert _journal(path) == "delete"


def test_several_runs_may_come_first_at_once(tmp_path: Path) -> None:
    ready = threading.Barrier(8)
    found: list[Path] = []

    def come() -> None:
        ready.wait()
        found.append(prepared(tmp_path))

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "cache.db"] * 8


@pytest.mark.parametrize("make", ["file", "directory", "link"])
def test_a_directory_that_cannot_be_made_is_told_before_any_call(tmp_path: Path, make: str) -> None:
    place = tmp_path / "cache"
    if make == "file":
        place.write_text("")
    elif make == "directory":
        (place / "cache.db").mkdir(parents=True)
    else:
        place.mkdir()
        (place / "cache.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="Name another directory with --cache") as refused:
        prepared(place)
    assert str(place) in str(refused.value)
    assert refused.value.exit_code == 73


@pytest.mark.parametrize(
    "foreign", [b"not a database, but long enough to be taken for one" * 20, None]
)
def test_a_file_of_another_program_is_refused_and_left_as_it_is(
    tmp_path: Path, foreign: bytes | None
) -> None:
    path = tmp_path / "cache.db"
    if foreign is None:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE theirs (x)")
            connection.commit()
    else:
        path.write_bytes(foreign)
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"is no cache of batcher\. Name another directory"):
        prepared(tmp_path)
    assert path.read_bytes() == before


def test_one_of_another_version_is_refused_and_told_that_it_holds_copies(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    with connected(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StorageError, match="holds copies only: delete it"):
        prepared(tmp_path)


def test_a_damaged_one_is_told_from_the_start(tmp_path: Path) -> None:
    path = prepared(tmp_path, shared=True)
    data = bytearray(path.read_bytes())
    data[100:200] = b"\xff" * 100
    path.write_bytes(bytes(data))
    with pytest.raises(StorageError, match=r"is damaged: .* It holds copies only: delete it"):
        prepared(tmp_path)


def test_one_that_another_program_holds_for_good_is_told(tmp_path: Path) -> None:
    path = prepared(tmp_path, shared=True)
    with connected(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="failed: database is locked"):
            prepared(tmp_path, busy_s=0.01)
