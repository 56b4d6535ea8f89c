"""`run.json`: what ran, on what, and how far it came; for people and for the commands beside it."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec

import batcher
from batcher.checkpoint import CheckpointReader
from batcher.errors import StorageError
from batcher.inputs import Dataset
from batcher.job import JobSpec
from batcher.recorded import Counts
from batcher.runs.directory import RunDirectory
from batcher.runs.remembered import Remembered

State = Literal["running", "finished", "stopped"]
Facts = dict[str, object]


class Description:
    """The facts of `run.json`; written anew, in one step, whenever some are added."""

    def __init__(self, directory: RunDirectory, facts: Mapping[str, object]) -> None:
        """Write the first facts.

        Raises:
            StorageError: they cannot be written.
        """
        self.directory = directory
        self._facts: dict[str, object] = {}
        self._lock = threading.Lock()
        self.add(**facts)

    def add(self, **facts: object) -> None:
        """Add facts, or change them; may be called from any thread.

        Raises:
            StorageError: they cannot be written.
        """
        with self._lock:
            self._facts |= facts
            self.directory.describe(self._facts)


def state_of(recorded: int, total: int | None, *, working: bool) -> State:
    """Return the state of a run: so many of its rows, `total` in all, have an outcome.

    Where nobody has counted them, it is not said to be finished.
    """
    if working:
        return "running"
    return "finished" if total is not None and recorded >= total else "stopped"


def begun_facts(job: JobSpec, dataset: Dataset, fingerprint: str, asked: str | None) -> Facts:
    """Return what `run.json` says from the start; a job never holds a key.

    `asked` is the address of whom is asked; None where they are simulated.
    """
    return {
        "batcher": batcher.__version__,
        "python": platform.python_version(),
        "simulated": asked is None,
        "base_url": asked,
        "job": msgspec.to_builtins(job),
        "input": dataset.names,
        "fingerprint": fingerprint,
        "started_at": _now(),
        "pid": os.getpid(),
        "state": "running",
    }


def ended_facts(
    counts: Counts, rows: int | None, samples: int, pending: int | None, state: State
) -> Facts:
    """Return what `run.json` says of a run of so many `rows` once its calls have ended."""
    return {
        "rows": rows,
        "samples": samples,
        "state": state,
        "finished_at": _now(),
        "results": counts.results,
        "errors": counts.error_rows,
        "pending": pending,
    }


def rows_of_run(checkpoint: CheckpointReader, directory: RunDirectory) -> int | None:
    """Return how many rows a run is about, those of its shard; None where nobody counted them."""
    run = Remembered(checkpoint)
    part = run.part
    if part is not None:
        return len(part.rows)
    return counted_rows(directory, str(run.fingerprint))


def counted_rows(directory: RunDirectory, fingerprint: str) -> int | None:
    """Return the rows of the input, if an earlier run has counted this very input."""
    try:
        facts = directory.description_facts()
    except StorageError:
        return None
    rows = facts.get("rows")
    return rows if facts.get("fingerprint") == fingerprint and isinstance(rows, int) else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
