"""The input of a job, opened; and kept from being written over, or taken for another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from batcher.checkpoint import CheckpointReader
from batcher.errors import InputError, OutputError, UsageError
from batcher.inputs import (
    OUTPUTS,
    Dataset,
    InputFile,
    Rows,
    discover,
    keep_spooled,
    may_be_input,
    passes_over,
    reaches,
    spool_rows,
    spool_stdin,
)
from batcher.job import JobSpec
from batcher.runs.directory import WRITTEN
from batcher.runs.remembered import Remembered
from batcher.runs.stopping import Check, asking, go_on
from batcher.storage import Address


def look_for_files(job: JobSpec, directory: Path, check: Check) -> None:
    """Look for the files that the job names, before `directory` is made that of their run.

    Raises:
        InputError: one is missing or of no known kind.
        OutputError: a folder or a glob of the input would take in other files from then on.
        Interruption: `check` says that the run is to end.
    """
    if "-" in job.input:
        return
    files = discover(job.input, asking(check))
    holds_some = any(_below(file.place, directory) is not None for file in files)
    for given in job.input:
        lost = passes_over(given, directory)
        # What a glob spells out is not passed over, nor is what a run writes there.
        if holds_some if lost else any(reaches(given, directory / name) for name in WRITTEN):
            raise OutputError(
                f"{directory} is within the input {given}: once a run has it for its own, the next "
                "start would find other files there; name another with -o"
            )


def open_dataset(
    job: JobSpec,
    spool: Path,
    stdin: BinaryIO,
    rows: Rows | None = None,
    check: Check = go_on,
) -> Dataset:
    """Return `rows`, else those that the job names.

    Rows in memory and standard input are first copied into `spool`.

    Raises:
        InputError: an input is missing or of no known kind.
        StorageError: they cannot be copied.
        Interruption: `check` says that the run is to end.
        UsageError: standard input is to be read beside files.
    """
    if "-" in job.input and len(job.input) > 1:
        raise UsageError("- (standard input) goes with no other input; put it into a file first")
    if rows is not None:
        files: tuple[InputFile, ...] = (spool_rows(rows, spool, check),)
    elif "-" in job.input:
        files = (spool_stdin(stdin, spool),)
    else:
        files = discover(job.input, asking(check))
    return Dataset(files, id_column=job.prompt.id_column, stop=asking(check))


def kept(dataset: Dataset) -> Dataset:
    """Return `dataset` for good: a copy of standard input takes the place of an earlier one.

    Raises:
        StorageError: it cannot.
    """
    return replace(dataset, files=tuple(map(keep_spooled, dataset.files)))


def refuse_to_overwrite(
    dataset: Dataset, target: Path | Address, is_written: Callable[[str], bool]
) -> None:
    """Keep a run or an export from writing over its own input.

    Raises:
        OutputError: a file of the input is in `target`, and its name from there `is_written`.
    """
    for file in dataset.files:
        name = _below(file.place, target)
        if name is not None and is_written(name):
            raise OutputError(
                f"{file.name} is the input and would be overwritten; name another directory"
            )


def refuse_to_feed(
    inputs: Iterable[str], to: Path | Address, names: Iterable[str] = OUTPUTS
) -> None:
    """Keep results, whose files are called `names`, from being rows of the next run.

    Raises:
        OutputError: a folder or a glob of the `inputs` takes in what is put at `to`.
        UsageError: one of them is no URL that can be used.
    """
    rows = [name for name in names if may_be_input(name)]
    for given in inputs:
        if given == "-" or (isinstance(to, Path) and _takes_nothing_in(given, to)):
            continue
        if any(reaches(given, to / name) for name in rows):
            raise OutputError(
                f"{to} is within the input {given}, so that the next run would take its results "
                "for rows; name a place beside it with --to"
            )


def _takes_nothing_in(given: str, to: Path) -> bool:
    """Tell whether `given` is a file, or passes over a run that has `to` or a folder above it."""
    whole = to.resolve()
    runs = [folder for folder in (whole, *whole.parents) if (folder / "checkpoint.db").exists()]
    return Path(given).is_file() or any(passes_over(given, folder) for folder in runs)


def _below(place: Path | Address, folder: Path | Address) -> str | None:
    """Return what `place` is called from `folder` on; None where it is not below it."""
    if isinstance(folder, Address) and folder.scheme == "file":
        folder = Path(folder.path)
    if isinstance(folder, Path):
        path, root = None if isinstance(place, Address) else place.resolve(), folder.resolve()
        return path.relative_to(root).as_posix() if path and path.is_relative_to(root) else None
    below = f"{folder.url}/"
    found = isinstance(place, Address) and place.url.startswith(below)
    return str(place)[len(below) :] if found else None


def unchanged(checkpoint: CheckpointReader, dataset: Dataset) -> Dataset:
    """Return an input as it is now, which is the one that was run.

    Raises:
        InputError: it is another.
    """
    dataset = dataset.looked_at()
    if Remembered(checkpoint).fingerprint != dataset.fingerprint():
        raise InputError(
            f"the input changed since it was run: {', '.join(dataset.names)}. Run the same "
            "command again to take up the change, or restore the files"
        )
    return dataset
