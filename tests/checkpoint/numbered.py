"""Rows that have only their number for an id, as a renderer makes requests of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from batcher.checkpoint import Checkpoint, Comparison
from batcher.records import Request, Source
from batcher.render import request_key


def asked(row: int, prompt: str, file: str, line: int, *, row_id: str | None = None) -> Request:
    """Return a request as a renderer makes it; its row has no id of its own, if none is given."""
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    row_id = str(row) if row_id is None else row_id
    return Request(row, row_id, request_key(row_id, body), body, Source(file, line))


def files_of(files: Mapping[str, Sequence[str]]) -> list[Request]:
    """Return the requests of `files`, which are read in the order of their names."""
    lines = [
        (prompt, name, line)
        for name, prompts in sorted(files.items())
        for line, prompt in enumerate(prompts, 1)
    ]
    return [asked(row, *line) for row, line in enumerate(lines)]


def placed(
    checkpoint: Checkpoint, requests: Iterable[Request], samples: int | None = 1
) -> Comparison:
    """Give the rows of a changed input what is recorded of them."""
    with checkpoint.placement(samples) as placement:
        for request in requests:
            placement.place(request)
        placement.renumber()
        found = placement.compare()
        placement.apply()
    return found
