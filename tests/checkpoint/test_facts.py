"""What a checkpoint knows of its run, each fact with its checksum."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint
from batcher.checkpoint.facts import fact_in, remember
from batcher.errors import StorageError

PATH = Path("checkpoint.db")


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    path = tmp_path / "checkpoint.db"
    with Checkpoint.open(path):
        pass
    return sqlite3.connect(path)


def test_a_fact_comes_back_as_it_was_and_a_later_one_takes_its_place(
    connection: sqlite3.Connection,
) -> None:
    remember(connection, {"settings": {"b": 1, "a": [None, "é"]}})
    assert fact_in(connection, PATH, "settings") == {"b": 1, "a": [None, "é"]}
    remember(connection, {"settings": 2})
    assert fact_in(connection, PATH, "settings") == 2
    assert fact_in(connection, PATH, "other") is None


def test_a_fact_under_another_name_is_damage(connection: sqlite3.Connection) -> None:
    remember(connection, {"settings": 1})
    connection.execute("UPDATE facts SET name = 'fingerprint'")
    with pytest.raises(StorageError, match="what it says of 'fingerprint'"):
        fact_in(connection, PATH, "fingerprint")
