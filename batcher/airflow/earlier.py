"""What the earlier tries of a task left behind."""

from __future__ import annotations

from batcher.airflow.instance import TaskInstance
from batcher.job import OutputSpec
from batcher.runs.directory import RunDirectory


def nothing_left(ti: TaskInstance, output: OutputSpec) -> str | None:
    """Say that an earlier try left nothing here; None where it did, or where this is the first.

    Nor is anything missed where a copy of the checkpoint is kept: the run says what it takes of it.

    Raises:
        UsageError: the run directory is a URL.
    """
    if ti.try_number <= 1 or output.sync_checkpoint is not None:
        return None
    directory = RunDirectory.named(str(output.directory))
    if directory.checkpoint.exists():
        return None
    return (
        f"This is try {ti.try_number}, and {directory.path} holds no run. If an earlier try began "
        "one on another worker, all that it called is called again, and is in no count. Name a "
        "directory on a disk that all workers share, or sync_checkpoint"
    )
