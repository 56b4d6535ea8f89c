"""The checkpoint and the input, joined into results and errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import batcher
from batcher.checkpoint import CheckpointReader
from batcher.errors import OutputError, StorageError, UsageError
from batcher.inputs import Dataset
from batcher.outputs import (
    PARQUET,
    Ballot,
    Exported,
    Format,
    Kind,
    Material,
    Origin,
    Voted,
    export_votes,
    kind_of,
    votes_of,
)
from batcher.outputs import export as publish
from batcher.records import Mark
from batcher.runs.delivery import Delivery, beside
from batcher.runs.directory import RunDirectory
from batcher.runs.remembered import Remembered
from batcher.runs.rows import refuse_to_feed, refuse_to_overwrite, unchanged
from batcher.runs.shard import start_of
from batcher.runs.stopping import Check, asking, checked, go_on

# Rows of the input that every export reads, if there are so many.
_LEAST = 4096


def export(
    checkpoint: CheckpointReader,
    dataset: Dataset,
    to: Path,
    kind: Kind = PARQUET,
    origin: Origin | None = None,
    check: Check = go_on,
) -> Exported:
    """Write results and errors of every recorded row into the directory `to`.

    Raises:
        Interruption: `check` says that the run is to end; nothing was written.
        InputError: the input is not the one that was run.
        StorageError, OutputError: the files cannot be written.
    """
    dataset = replace(dataset, stop=asking(check))
    material = _material(checkpoint, dataset, check)
    refuse_to_overwrite(dataset, to, kind.may_be)
    return publish(material, to, kind, origin)


def _material(checkpoint: CheckpointReader, dataset: Dataset, check: Check = go_on) -> Material:
    """Return the rows and their outcomes, where the input is the one that was run."""
    dataset = unchanged(checkpoint, dataset)
    run = Remembered(checkpoint)
    start, stop, unread = _extent(checkpoint, dataset, run.samples)
    return Material(
        *dataset.batches(stop, start),
        outcomes=checked(checkpoint.outcomes(stop * run.samples), check),
        metadata=_metadata(run),
        samples=run.samples,
        value=run.value,
        unread=unread,
    )


def _extent(
    checkpoint: CheckpointReader, dataset: Dataset, samples: int
) -> tuple[Mark | None, int, int]:
    """Return where an export begins to read, at which row it ends, and how many are behind it.

    Up to the last one with an outcome: a first try with some rows of a large input costs no reading
    of all the others. Some more where there are few, so that their columns are known. Of a shard,
    no row but its own is read or counted; nor are rows that were, up to a mark.
    """
    part = Remembered(checkpoint).part
    start = start_of(checkpoint, dataset, part)
    last = checkpoint.last_row()
    stop = max((start.row if start else 0) + _LEAST, 0 if last is None else last // samples + 1)
    end = part.rows.stop if part else dataset.count(start=checkpoint.mark_before(stop))
    # An input that lost rows is told by the join.
    return start, min(stop, end) if part else stop, max(0, end - stop)


def export_run(
    directory: RunDirectory,
    to: Path | Delivery | None,
    file_format: Format,
    partition_rows: int | None = None,
) -> Exported:
    """Make the outputs of an existing run directory again, also while its run goes on.

    They go into `to`, else into the run directory; a dataset into its folder `hf`. Of those at a
    URL, the paths are relative to it.

    Raises:
        StorageError: the directory holds no run, or they cannot be put at a URL.
        InputError: the input is missing or changed.
        OutputError: they cannot be created there, or would be rows of the next run.
    """
    is_dataset = file_format == "hf"
    kind = kind_of(file_format, partition_rows)
    own = directory.path / "hf" if is_dataset else directory.path
    with CheckpointReader.read(directory.checkpoint) as checkpoint:
        dataset = Remembered(checkpoint).dataset
        _refuse_to_feed(checkpoint, to, kind)
        origin = _origin(checkpoint, dataset, directory) if is_dataset else None
        with _target(to, directory, own, dataset, kind) as target:
            exported = export(checkpoint, dataset, target, kind, origin)
    if not isinstance(to, Delivery):
        return exported
    errors = exported.errors_path
    return replace(
        exported,
        results_path=exported.results_path.relative_to(target),
        errors_path=None if errors is None else errors.relative_to(target),
    )


def _refuse_to_feed(checkpoint: CheckpointReader, to: Path | Delivery | None, kind: Kind) -> None:
    """Keep an export to another place from being rows of the next run, as a run does."""
    if to is not None:
        place = to.folder.address if isinstance(to, Delivery) else to
        refuse_to_feed((Remembered(checkpoint).job or {}).get("input", ()), place, kind.names)


@contextlib.contextmanager
def _target(
    to: Path | Delivery | None, directory: RunDirectory, own: Path, dataset: Dataset, kind: Kind
) -> Iterator[Path]:
    """Yield the directory to write to: `own`, or `to`; for a URL one whose files are put there."""
    if not isinstance(to, Delivery):
        _make(to or own)
        yield to or own
        return
    refuse_to_overwrite(dataset, to.folder.address, kind.may_be)
    with beside(directory.path) as target:
        if kind.errors is None:
            to.fetch_card(target, kind)
        yield target
        to.replace(target, kind.may_be)


def vote_run(
    directory: RunDirectory,
    to: Path | Delivery | None,
    file_format: Format,
    partition_rows: int | None = None,
) -> Voted:
    """Write what the samples of each row of an existing run agree on, also while it goes on.

    They go where `export_run` puts its files.

    Raises:
        StorageError: the directory holds no run.
        InputError: the input is missing or changed.
        OutputError: the votes cannot be created there, or would be rows of the next run.
        UsageError: the format is no table, or the run has nothing to vote on.
    """
    kind = votes_of(file_format, partition_rows)
    with CheckpointReader.read(directory.checkpoint) as checkpoint:
        run = Remembered(checkpoint)
        dataset, samples, value = run.dataset, run.samples, run.value
        ballot = Ballot.on(samples, value)
        if (samples == 1 and value is None) or not ballot.questions:
            raise UsageError(
                f"there is nothing to vote on in {directory.path}: --vote counts the answers of a "
                "run with several samples a row ([sampling]), or with fields that hold one value "
                "each ([output] fields or schema)"
            )
        _refuse_to_feed(checkpoint, to, kind)
        material = _material(checkpoint, dataset)
        with _target(to, directory, directory.path, dataset, kind) as target:
            refuse_to_overwrite(dataset, target, kind.may_be)
            voted = export_votes(material, target, kind, ballot)
        path = voted.path.relative_to(target) if isinstance(to, Delivery) else voted.path
        return replace(voted, path=path)


def _metadata(run: Remembered) -> dict[str, str]:
    """Return what files that have a place for it say of the run."""
    return {
        "batcher.version": batcher.__version__,
        "batcher.job": json.dumps(run.settings, ensure_ascii=False),
        "batcher.simulated": str(run.simulated).lower(),
    }


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create {directory}: {error.strerror}") from None


def _origin(checkpoint: CheckpointReader, dataset: Dataset, directory: RunDirectory) -> Origin:
    """Return how the outcomes came to be, as far as the run directory still tells."""
    run = Remembered(checkpoint)
    settings, simulated = run.settings, run.simulated
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
