"""What was recorded, read back: all is compared with its checksum, what is damaged is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batcher.checkpoint import schema
from batcher.checkpoint.checksum import checksum
from batcher.checkpoint.connection import damaged
from batcher.checkpoint.encoding import decoded, decoded_invalid
from batcher.recorded import Recorded
from batcher.records import InvalidAnswer, Mark

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


def recalled_invalid(path: Path, row: Sequence[object]) -> InvalidAnswer:
    """Return the answer of no use that a row of `invalid_answers` holds.

    Raises:
        StorageError: it is not what was recorded.
    """
    answer = decoded_invalid(row)
    if answer is None:
        raise damaged(path, f"an answer for the key {row[0]} is not what was written")
    return answer


def recalled_mark(path: Path, row: Sequence[Any]) -> Mark:
    """Return the mark of a row, whose columns are `schema.MARK`.

    Raises:
        StorageError: it is not what was recorded.
    """
    *place, expected = row
    if checksum(place) != expected:
        raise damaged(path, f"the place of row {place[0]} is not what was written")
    return Mark(*place)


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
