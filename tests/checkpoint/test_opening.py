"""How a process begins with a checkpoint; the rest is tested where it is opened (test_store)."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from batcher.checkpoint.opening import set_journal
from batcher.errors import StorageError


def test_a_disk_without_write_ahead_logs_is_refused() -> None:
    """A database in memory has none either."""
    with (
        contextlib.closing(sqlite3.connect(":memory:")) as memory,
        pytest.raises(StorageError, match=r"journal mode memory.*local disk with -o"),
    ):
        set_journal(memory, Path("checkpoint.db"), "WAL")
