"""Recorded outcomes, read back: each is compared with its checksum, a damaged one is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from batcher.checkpoint import schema
from batcher.checkpoint.connection import damaged
from batcher.checkpoint.encoding import decoded
from batcher.recorded import Recorded

_ANSWER = (
    f"SELECT {schema.COLUMNS} FROM outcomes INDEXED BY outcomes_content "
    "WHERE content = ? AND error_class IS NULL LIMIT 1"
)


def recalled(path: Path, row: Sequence[object]) -> Recorded:
    """Return the outcome of a row, whose columns are `schema.COLUMNS`, of the checkpoint `path`.

    Raises:
        StorageError: it is not what was recorded.
    """
    outcome = decoded(row)
    if outcome is None:
        raise damaged(path, f"the outcome of row {row[0]} is not what was written")
    return outcome


def answers_to(
    connection: sqlite3.Connection, path: Path, contents: Sequence[str], most: int
) -> tuple[dict[str, Recorded], Sequence[str]]:
    """Return by content a recorded answer to such a request, and the contents not looked at.

    None is looked at any more once the answers have `most` characters together.

    Raises:
        StorageError: one is not what was recorded.
    """
    found: dict[str, Recorded] = {}
    for at, content in enumerate(contents):
        if most <= 0:
            return found, contents[at:]
        row = connection.execute(_ANSWER, (content,)).fetchone()
        if row is not None:
            answer = found[content] = recalled(path, row)
            most -= answer.size
    return found, ()
