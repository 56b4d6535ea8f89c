"""Damage to a checkpoint, as a bad disk does it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path


def break_outcomes(path: Path) -> None:
    """Write over the first page of the outcomes, so that SQLite can read none of them."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'outcomes'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 200)
