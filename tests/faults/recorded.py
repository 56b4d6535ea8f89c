"""A child to be recorded: outcomes through the product's own group commit into a checkpoint.

It says "ROW n" when the checkpoint has told that row n is safe. `--without sync` and
`--without synchronous` break it on purpose, to show that the tests see it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from batcher.checkpoint import Checkpoint, GroupCommit
from batcher.records import Attempt, Completion, Outcome, Source, Success, Usage


def outcome(row: int, size: int) -> Success:
    """Return the outcome of `row`, with an answer of `size` characters."""
    text = f"answer {row} " + "x" * size
    completion = Completion(text, None, None, "stop", "m", Usage(1, 2))
    attempts = (Attempt(1, f"request-{row}", 1.0, 0.5),)
    key = f"{row:032x}"
    return Success(row, f"id-{row}", key, completion, attempts, 2.0, Source("p.jsonl", row + 1))


def _say(recorded: Outcome) -> None:
    os.write(1, f"ROW {recorded.row}\n".encode())


async def _write(path: Path, rows: int, size: int, without: str | None) -> None:
    with Checkpoint.open(path, shared=False) as checkpoint:
        if without == "synchronous":
            checkpoint._writer.execute("PRAGMA synchronous = OFF")
        group = GroupCommit(
            lambda outcomes, unanswered: checkpoint.write(outcomes, unanswered=unanswered),
            checkpoint.sync if without != "sync" else lambda: None,
            _say,
            max_delay=0.005,
        )
        running = asyncio.create_task(group.run())
        for first in range(0, rows, 4):
            await asyncio.gather(
                *(group.put(outcome(row, size)) for row in range(first, first + 4))
            )
        group.close()
        await running


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--without", choices=["sync", "synchronous"])
    given = parser.parse_args()
    asyncio.run(_write(given.path, given.rows, given.size, given.without))
