"""The first results of a run, for a look at them."""

from __future__ import annotations

from typing import Any

from batcher.outputs import read_head
from batcher.runs.directory import RunDirectory


def first_results(directory: RunDirectory, rows: int) -> list[dict[str, Any]]:
    """Return up to `rows` first results that were exported, as JSON values by column.

    Raises:
        StorageError: nothing was exported yet, or the file is damaged.
    """
    return read_head(directory.results, rows)
