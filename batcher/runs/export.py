"""The checkpoint and the input, joined into results and errors."""

from __future__ import annotations

import json
from pathlib import Path

import batcher
from batcher.checkpoint import CheckpointReader
from batcher.errors import InputError, OutputError
from batcher.inputs import Dataset
from batcher.outputs import Exported, Format
from batcher.outputs import export as publish
from batcher.runs.directory import RunDirectory
from batcher.runs.rows import recalled, refuse_to_overwrite
from batcher.runs.stopping import Check, checked, go_on


def export(
    checkpoint: CheckpointReader,
    dataset: Dataset,
    to: Path,
    file_format: Format = "parquet",
    check: Check = go_on,
) -> Exported:
    """Write results and errors of every recorded row into the directory `to`.

    Raises:
        Interruption: `check` says that the run is to end; nothing was written.
        InputError: the input is not the one that was run.
        StorageError, OutputError: the files cannot be written.
    """
    if checkpoint.fact("fingerprint") != dataset.fingerprint():
        raise InputError(
            f"the input changed since it was run: {', '.join(dataset.names)}. Run the same "
            "command again to take up the change, or restore the files"
        )
    refuse_to_overwrite(dataset, to, {f"{name}.{file_format}" for name in ("results", "errors")})
    schema, batches = dataset.batches()
    metadata = {
        "batcher.version": batcher.__version__,
        "batcher.job": json.dumps(checkpoint.fact("settings"), ensure_ascii=False),
        "batcher.simulated": str(bool(checkpoint.fact("simulated"))).lower(),
    }
    outcomes = checked(checkpoint.outcomes(), check)
    return publish(schema, batches, outcomes, to, format=file_format, metadata=metadata)


def export_run(directory: RunDirectory, to: Path | None, file_format: Format) -> Exported:
    """Make the outputs of an existing run directory again, also while its run goes on.

    Raises:
        StorageError: the directory holds no run.
        InputError: the input is missing or changed.
    """
    with CheckpointReader.read(directory.checkpoint) as checkpoint:
        dataset = recalled(checkpoint.fact("input"))
        if to is not None:
            _make(to)
        return export(checkpoint, dataset, to or directory.path, file_format)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create {directory}: {error.strerror}") from None
