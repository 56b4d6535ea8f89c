"""`diff`: two runs compared row by row, for a table and for a Parquet file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import batcher
from batcher.checkpoint import CheckpointReader, pairs
from batcher.compared import Compared, Pair, compare
from batcher.errors import InputError, OutputError
from batcher.observe import Difference, Side
from batcher.outputs import write_differences
from batcher.runs.directory import RunDirectory
from batcher.runs.export import value_of
from batcher.runs.rows import recalled, refuse_to_overwrite, samples_in
from batcher.structured import StructOf


def diff(a: RunDirectory, b: RunDirectory, to: Path | None = None) -> Difference:
    """Compare two runs, also while they go on; write each row into the Parquet file `to`.

    Raises:
        StorageError: a directory holds no run, or its checkpoint is damaged.
        InputError: the runs have no row in common.
        OutputError: the file cannot be created, or would take the place of a run's own.
    """
    with CheckpointReader.read(a.checkpoint) as of_a, CheckpointReader.read(b.checkpoint) as of_b:
        values = value_of(of_a), value_of(of_b)
        samples = samples_in(of_a.fact("settings")), samples_in(of_b.fact("settings"))
        difference = Difference(
            _side(a, of_a),
            _side(b, of_b),
            _fields(values),
            same_input=of_a.fact("fingerprint") == of_b.fact("fingerprint"),
        )
        if to is not None:
            for directory, checkpoint in ((a, of_a), (b, of_b)):
                _refuse_own(directory, checkpoint, to)
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


def _side(directory: RunDirectory, checkpoint: CheckpointReader) -> Side:
    settings = cast("Mapping[str, Any]", checkpoint.fact("settings") or {})
    return Side(
        str(directory.path),
        settings.get("model"),
        bool(checkpoint.fact("simulated")),
        checkpoint.counts().currency,
    )


def _fields(values: tuple[StructOf | None, StructOf | None]) -> tuple[str, ...]:
    """Return the names of all fields of both, in the order of A, then of B."""
    return tuple(dict.fromkeys(name for value in values if value for name, _ in value.fields))


def _refuse_own(directory: RunDirectory, checkpoint: CheckpointReader, to: Path) -> None:
    if to.resolve().parent == directory.path.resolve():
        raise OutputError(f"{to} would lie among the files of a run; name another place with --to")
    refuse_to_overwrite(recalled(checkpoint.fact("input")), to.parent, to.name.__eq__)
