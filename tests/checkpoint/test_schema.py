"""The tables of the checkpoint, seen through SQLite itself."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from batcher.checkpoint import schema
from batcher.recorded import Recorded


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema.CREATE)
        yield connection


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]


@pytest.mark.parametrize("table", ["outcomes", "shelved"])
def test_a_table_of_outcomes_holds_the_fields_of_a_recorded_row_and_a_checksum(
    database: sqlite3.Connection, table: str
) -> None:
    assert sorted(_columns(database, table)) == sorted([*Recorded._fields, "checksum"])


def test_the_database_names_its_program_and_version(database: sqlite3.Connection) -> None:
    assert database.execute("PRAGMA application_id").fetchone() == (0x62746368,)
    assert database.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT row FROM outcomes INDEXED BY outcomes_class",
        "SELECT row FROM outcomes INDEXED BY outcomes_class WHERE error_class IS NULL",
    ],
)
def test_the_rows_that_are_done_are_read_without_touching_an_answer(
    database: sqlite3.Connection, query: str
) -> None:
    plan = database.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    assert "COVERING INDEX outcomes_class" in plan[0][3]


def test_an_id_is_found_by_its_index(database: sqlite3.Connection) -> None:
    plan = database.execute(
        "EXPLAIN QUERY PLAN SELECT row FROM outcomes WHERE id = 'a' AND key IS NOT NULL"
    ).fetchall()
    assert "outcomes_id" in plan[0][3]


def test_every_summed_column_is_a_number_of_a_recorded_row(database: sqlite3.Connection) -> None:
    assert set(schema.SUMMED) < set(Recorded._fields)
    types = {name: kind for _, name, kind, *_ in database.execute("PRAGMA table_info(outcomes)")}
    assert {types[name] for name in schema.SUMMED} == {"INTEGER"}
