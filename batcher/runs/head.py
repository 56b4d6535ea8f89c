"""The first results of a run, for a look at them."""

from __future__ import annotations

import re
from typing import Any

from batcher.outputs import read_head
from batcher.runs.directory import RunDirectory

# Bytes, such as an image, as JSON values have them; an answer is never one word of that length.
_BYTES = re.compile(r"(data:[^,]{0,99},)?([A-Za-z0-9+/]{1000,}={0,2})")


def first_results(directory: RunDirectory, rows: int) -> list[dict[str, Any]]:
    """Return up to `rows` first results that were exported, as JSON values by column.

    Long bytes are told of by their size.

    Raises:
        StorageError: nothing was exported yet, or the file is damaged.
    """
    found = read_head(directory.results, rows)
    return [{name: _shown(value) for name, value in row.items()} for row in found]


def _shown(value: object) -> object:
    match value:
        case str():
            held = _BYTES.fullmatch(value)
            return f"{held[1] or ''}({len(held[2]) * 3 // 4:,} bytes)" if held else value
        case list():
            return [_shown(item) for item in value]
        case dict():
            return {name: _shown(item) for name, item in value.items()}
        case _:
            return value
