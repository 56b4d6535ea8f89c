"""What a checkpoint knows of its run, each fact with its checksum."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from batcher.checkpoint.checksum import checksum
from batcher.checkpoint.connection import damaged


def fact_in(connection: sqlite3.Connection, path: Path, name: str) -> object:
    """Return the fact `name` that `connection` sees in the checkpoint `path`, or None.

    Raises:
        StorageError: it is not what was remembered.
    """
    found = connection.execute(
        "SELECT value, checksum FROM facts WHERE name = ?", (name,)
    ).fetchone()
    if found is None:
        return None
    value, expected = found
    if checksum([name, value]) != expected:
        raise damaged(path, f"what it says of {name!r} is not what was written")
    fact: object = json.loads(value)
    return fact


def remember(connection: sqlite3.Connection, facts: Mapping[str, object]) -> None:
    """Write facts, which are plain JSON values, in a transaction of `connection`."""
    # In their order: that of a schema's fields is the order of columns.
    rows = [(name, json.dumps(value)) for name, value in facts.items()]
    connection.executemany(
        "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", [(*row, checksum(row)) for row in rows]
    )
