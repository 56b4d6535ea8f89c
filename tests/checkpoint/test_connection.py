"""Connections, transactions, and SQLite's errors in the user's words."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from batcher.checkpoint.connection import connected, transaction, translated
from batcher.errors import DiskFullError, StorageError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        yield connection


def _numbers(database: sqlite3.Connection) -> list[int]:
    return [number for (number,) in database.execute("SELECT n FROM t ORDER BY n")]


def test_a_transaction_commits_at_the_end_of_its_body(database: sqlite3.Connection) -> None:
    with transaction(database):
        database.execute("INSERT INTO t VALUES (1)")
    assert not database.in_transaction
    assert _numbers(database) == [1]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_of_any_kind_undoes_the_whole_transaction(
    database: sqlite3.Connection, error: type[BaseException]
) -> None:
    def interrupted() -> None:
        with transaction(database):
            database.execute("INSERT INTO t VALUES (1)")
            raise error

    with pytest.raises(error):
        interrupted()
    assert not database.in_transaction
    assert _numbers(database) == []


def test_a_transaction_that_sqlite_rolled_back_itself_raises_the_first_error(
    database: sqlite3.Connection,
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"), transaction(database):
        database.executemany("INSERT OR ROLLBACK INTO t VALUES (?)", [(1,), (1,)])
    assert _numbers(database) == []


def test_a_connection_never_creates_a_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone\.db failed: unable to open"):
        connected(tmp_path / "gone.db").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_name_full_of_signs_is_a_name_and_no_option(tmp_path: Path) -> None:
    odd = tmp_path / "a?mode=memory&b#c%20d.db"
    odd.touch()
    with connected(odd) as connection:
        connection.execute("CREATE TABLE t (n)")
    assert odd.stat().st_size > 0


def test_a_connection_is_closed_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    with connected(tmp_path / "a.db") as connection:
        pass
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.db"
    path.write_bytes(b"no database at all " * 100)
    with (
        pytest.raises(
            StorageError, match=r"checkpoint\.db is damaged: .*copy of it.* -o"
        ) as raised,
        translated(path),
        connected(path) as connection,
    ):
        connection.execute("SELECT * FROM sqlite_schema")
    assert isinstance(raised.value.__cause__, sqlite3.DatabaseError)


def test_a_database_that_another_program_holds_is_said_to_be_held(
    tmp_path: Path, database: sqlite3.Connection
) -> None:
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "a.db", timeout=0)) as other,
        transaction(database),
        pytest.raises(StorageError, match="held by another program: database is locked"),
        translated(tmp_path / "a.db"),
    ):
        other.execute("BEGIN IMMEDIATE")


def test_a_result_code_with_detail_is_understood(
    tmp_path: Path, database: sqlite3.Connection
) -> None:
    """Here SQLITE_BUSY_SNAPSHOT: what was read has been overtaken."""
    path = tmp_path / "a.db"
    database.execute("PRAGMA journal_mode = WAL")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        _numbers(other)
        database.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(StorageError, match="held by another program"), translated(path):
            other.execute("INSERT INTO t VALUES (2)")


def test_a_full_disk_is_said_with_the_way_out(tmp_path: Path, database: sqlite3.Connection) -> None:
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    with (
        pytest.raises(DiskFullError, match=r"no room left: .*full.*before is safe; free space"),
        translated(tmp_path / "a.db"),
        transaction(database),
    ):
        database.executemany("INSERT INTO t VALUES (?)", ((n,) for n in range(10_000)))
    assert _numbers(database) == []


def test_a_complaint_of_python_s_own_module_is_translated_too(tmp_path: Path) -> None:
    """It has no result code."""
    with pytest.raises(StorageError, match="failed: odd"), translated(tmp_path):
        raise sqlite3.ProgrammingError("odd")


def test_text_that_is_none_any_more_is_damage(tmp_path: Path, database: sqlite3.Connection) -> None:
    with (
        pytest.raises(StorageError, match="is damaged: Could not decode"),
        translated(tmp_path),
    ):
        database.execute("SELECT CAST(x'ff' AS TEXT)").fetchall()
    with pytest.raises(StorageError, match="is damaged: 'utf-8'"), translated(tmp_path):
        b"\xff".decode()


def test_other_exceptions_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(KeyError), translated(tmp_path):
        raise KeyError
