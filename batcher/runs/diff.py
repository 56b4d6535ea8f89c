"""`diff`: two runs compared row by row, for a table and for a Parquet file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import batcher
from batcher.checkpoint import CheckpointReader, pairs
from batcher.compared import Compared, Pair, compare
from batcher.errors import InputError, OutputError, UsageError
from batcher.observe import Difference, Side
from batcher.outputs import write_differences
from batcher.runs.directory import RunDirectory
from batcher.runs.remembered import Remembered
from batcher.runs.rows import refuse_to_feed, refuse_to_overwrite
from batcher.structured import StructOf


def diff(a: RunDirectory, b: RunDirectory, to: Path | None = None) -> Difference:
    """Compare two runs, also while they go on; write each row into the Parquet file `to`.

    Raises:
        UsageError: the name of the file is none of Parquet.
        StorageError: a directory holds no run, or its checkpoint is damaged.
        InputError: the runs have no row in common.
        OutputError: the file cannot be created, would take the place of a run's own,
            or be rows of its next start.
    """
    with CheckpointReader.read(a.checkpoint) as of_a, CheckpointReader.read(b.checkpoint) as of_b:
        run_a, run_b = Remembered(of_a), Remembered(of_b)
        values = run_a.value, run_b.value
        samples = run_a.samples, run_b.samples
        difference = Difference(
            _side(a, run_a),
            _side(b, run_b),
            _fields(values),
            same_input=run_a.fingerprint == run_b.fingerprint,
        )
        if to is not None:
            _refuse_own(a, run_a, to)
            _refuse_own(b, run_b, to)
            if to.suffix.lower() != ".parquet":
                right = to.with_suffix(".parquet")
                raise UsageError(f"{to}: the table is Parquet; name the file {right}")
    joined = pairs(a.checkpoint, b.checkpoint, samples)
    compared = _folded(joined, difference)
    if to is None:
        deque(compared, maxlen=0)
    else:
        metadata = {"batcher.version": batcher.__version__, "batcher.a": str(a.path)}
        write_differences(compared, values, samples, to, metadata | {"batcher.b": str(b.path)})
    return difference


def _folded(joined: Iterator[Pair], difference: Difference) -> Iterator[Compared]:
    """Yield each pair, compared and counted."""
    for pair in joined:
        compared = compare(pair, difference.fields)
        difference.add(compared)
        yield compared
    if not difference.both:
        raise InputError(
            f"{difference.a.name} ({difference.only_a:,} rows) and {difference.b.name} "
            f"({difference.only_b:,} rows) have "
            "no row in common: rows are joined by their ids, so runs are compared whose inputs "
            "have the same ones"
        )


def _side(directory: RunDirectory, run: Remembered) -> Side:
    return Side(
        str(directory.path),
        run.settings.get("model"),
        run.simulated,
        run.checkpoint.counts().currency,
    )


def _fields(values: tuple[StructOf | None, StructOf | None]) -> tuple[str, ...]:
    """Return the names of all fields of both, in the order of A, then of B."""
    return tuple(dict.fromkeys(name for value in values if value for name, _ in value.fields))


def _refuse_own(directory: RunDirectory, run: Remembered, to: Path) -> None:
    if to.resolve().parent == directory.path.resolve():
        raise OutputError(f"{to} would lie among the files of a run; name another place with --to")
    refuse_to_overwrite(run.dataset, to.parent, to.name.__eq__)
    refuse_to_feed((run.job or {}).get("input", ()), to.parent, [to.name])
