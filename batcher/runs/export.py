"""The checkpoint and the input, joined into results and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import batcher
from batcher.checkpoint import CheckpointReader
from batcher.errors import OutputError, StorageError, UsageError
from batcher.inputs import Dataset
from batcher.job import OutputSpec
from batcher.outputs import Ballot, Exported, Format, Origin, Voted, export_votes, kind_of, votes_of
from batcher.outputs import export as publish
from batcher.records import Mark
from batcher.runs.directory import RunDirectory
from batcher.runs.rows import recalled, refuse_changed, refuse_to_overwrite, samples_in
from batcher.runs.shard import part_in, start_of
from batcher.runs.stopping import Check, checked, go_on
from batcher.structured import StructOf, Structure

# Rows of the input that every export reads, if there are so many.
_LEAST = 4096


def export(
    checkpoint: CheckpointReader,
    dataset: Dataset,
    to: Path,
    file_format: Format = "parquet",
    partition_rows: int | None = None,
    origin: Origin | None = None,
    check: Check = go_on,
) -> Exported:
    """Write results and errors of every recorded row into the directory `to`.

    Raises:
        Interruption: `check` says that the run is to end; nothing was written.
        InputError: the input is not the one that was run.
        StorageError, OutputError: the files cannot be written.
    """
    refuse_changed(checkpoint, dataset)
    kind = kind_of(file_format, partitioned=partition_rows is not None)
    refuse_to_overwrite(dataset, to, kind.may_be)
    samples = samples_in(checkpoint.fact("settings"))
    start, stop, unread = _extent(checkpoint, dataset, samples)
    schema, batches = dataset.batches(stop, start)
    return publish(
        schema,
        batches,
        checked(checkpoint.outcomes(stop * samples), check),
        to,
        format=file_format,
        metadata=_metadata(checkpoint),
        samples=samples,
        partition_rows=partition_rows,
        origin=origin,
        value=value_of(checkpoint),
        unread=unread * samples,
    )


def _extent(
    checkpoint: CheckpointReader, dataset: Dataset, samples: int
) -> tuple[Mark | None, int, int]:
    """Return where an export begins to read, at which row it ends, and how many are behind it.

    Up to the last one with an outcome: a first try with some rows of a large input costs no reading
    of all the others. Some more where there are few, so that their columns are known. Of a shard,
    no row but its own is read or counted.
    """
    part = part_in(checkpoint)
    start = start_of(checkpoint, dataset, part)
    end = part.rows.stop if part else dataset.count()
    last = checkpoint.last_row()
    stop = max((start.row if start else 0) + _LEAST, 0 if last is None else last // samples + 1)
    # An input that lost rows is told by the join.
    return start, min(stop, end) if part else stop, max(0, end - stop)


def value_of(checkpoint: CheckpointReader) -> StructOf | None:
    """Return what each answer of a run holds, where its job wants one of known fields."""
    settings = cast("Mapping[str, Any]", checkpoint.fact("settings") or {})
    spec = OutputSpec(schema=settings.get("output.schema"), fields=settings.get("output.fields"))
    structure = Structure.of(spec)
    return None if structure is None else structure.kind


def export_run(
    directory: RunDirectory,
    to: Path | None,
    file_format: Format,
    partition_rows: int | None = None,
) -> Exported:
    """Make the outputs of an existing run directory again, also while its run goes on.

    They go into `to`, else into the run directory; a dataset into its folder `hf`.

    Raises:
        StorageError: the directory holds no run.
        InputError: the input is missing or changed.
        OutputError: they cannot be created there.
    """
    with CheckpointReader.read(directory.checkpoint) as checkpoint:
        dataset = recalled(checkpoint.fact("input"))
        is_dataset = file_format == "hf"
        origin = _origin(checkpoint, dataset, directory) if is_dataset else None
        target = to or (directory.path / "hf" if is_dataset else directory.path)
        _make(target)
        return export(checkpoint, dataset, target, file_format, partition_rows, origin)


def vote_run(
    directory: RunDirectory,
    to: Path | None,
    file_format: Format,
    partition_rows: int | None = None,
) -> Voted:
    """Write what the samples of each row of an existing run agree on, also while it goes on.

    Raises:
        StorageError: the directory holds no run.
        InputError: the input is missing or changed.
        OutputError: the votes cannot be created there.
        UsageError: the format is no table, or the run has nothing to vote on.
    """
    kind = votes_of(file_format, partitioned=partition_rows is not None)
    with CheckpointReader.read(directory.checkpoint) as checkpoint:
        dataset = recalled(checkpoint.fact("input"))
        samples = samples_in(checkpoint.fact("settings"))
        value = value_of(checkpoint)
        ballot = Ballot.on(samples, value)
        if (samples == 1 and value is None) or not ballot.questions:
            raise UsageError(
                f"there is nothing to vote on in {directory.path}: --vote counts the answers of a "
                "run with several samples a row ([sampling]), or with fields that hold one value "
                "each ([output] fields or schema)"
            )
        refuse_changed(checkpoint, dataset)
        target = to or directory.path
        refuse_to_overwrite(dataset, target, kind.may_be)
        _make(target)
        start, stop, unread = _extent(checkpoint, dataset, samples)
        schema, batches = dataset.batches(stop, start)
        voted = export_votes(
            schema,
            batches,
            checkpoint.outcomes(stop * samples),
            target,
            kind,
            metadata=_metadata(checkpoint),
            ballot=ballot,
            partition_rows=partition_rows,
        )
        return replace(voted, pending=voted.pending + unread)


def _metadata(checkpoint: CheckpointReader) -> dict[str, str]:
    """Return what files that have a place for it say of the run."""
    return {
        "batcher.version": batcher.__version__,
        "batcher.job": json.dumps(checkpoint.fact("settings"), ensure_ascii=False),
        "batcher.simulated": str(bool(checkpoint.fact("simulated"))).lower(),
    }


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create {directory}: {error.strerror}") from None


def _origin(checkpoint: CheckpointReader, dataset: Dataset, directory: RunDirectory) -> Origin:
    """Return how the outcomes came to be, as far as the run directory still tells."""
    settings: Any = checkpoint.fact("settings") or {}
    simulated = bool(checkpoint.fact("simulated"))
    return Origin(
        version=batcher.__version__,
        settings=settings,
        simulated=simulated,
        provider="none: batcher's simulator" if simulated else provider_of(directory),
        priced_by=checkpoint.counts().priced_by,
        inputs=dataset.names,
        images=frozenset(settings.get("prompt.image_columns", ())),
    )


def provider_of(directory: RunDirectory) -> str | None:
    """Return whom the last run called; of a server of the user's own, not where it is."""
    try:
        job: Any = directory.description_facts().get("job")
        provider = job["provider"]
        own = provider["base_url"] is not None
        return (
            f"a server of its own, by the protocol of {provider['name']}"
            if own
            else str(provider["name"])
        )
    except (StorageError, LookupError, TypeError):
        return None
