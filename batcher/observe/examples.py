"""One row for each class of errors, in a line: where it stands, and what was said of it."""

from __future__ import annotations

from collections.abc import Mapping

from batcher.errors import ErrorClass
from batcher.recorded import Recorded
from batcher.wording import printable

_MOST = 200


def examples(rows: Mapping[ErrorClass, Recorded], *, texts: bool) -> Mapping[ErrorClass, str]:
    """Return such a line for each of `rows`; without `texts`, nothing that may quote a row."""
    return {name: _line(row, texts=texts) for name, row in rows.items()}


def _line(row: Recorded, *, texts: bool) -> str:
    status = None if row.http_status is None else f"HTTP {row.http_status}"
    said = shortened(row.message or "") if texts else ""
    known = [row.source or row.id, ", ".join(filter(None, (status, row.code))), said]
    return printable(": ".join(filter(None, known)))


def shortened(message: str) -> str:
    """Return a message in one line that is not long."""
    # Of a very long text, only the start is looked at.
    line = " ".join(message[: 4 * _MOST].split())
    return line if len(line) <= _MOST else f"{line[: _MOST - 1]}…"
