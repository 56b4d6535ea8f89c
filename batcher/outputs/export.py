"""Input and recorded outcomes in; results and errors out, published together.

batches + outcomes -> join -> Joined -> two outputs of one or more files, each draft with its sink
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from batcher.outputs import dataset_folder
from batcher.outputs.card import Origin
from batcher.outputs.figures import Figures
from batcher.outputs.formats import PARQUET, Kind
from batcher.outputs.join import join
from batcher.outputs.layout import layout
from batcher.outputs.material import Material
from batcher.outputs.partitions import Partitions
from batcher.outputs.publication import publication


@dataclass(frozen=True, slots=True)
class Exported:
    """What was published, in rows; `pending` ones have no outcome yet and are in neither output.

    Where an output has partitions, its path is a pattern that finds all of them. `errors_path` is
    None where the format has no place for errors.
    """

    results: int
    errors: int
    pending: int
    results_path: Path
    errors_path: Path | None


def export(
    material: Material, directory: Path, kind: Kind = PARQUET, origin: Origin | None = None
) -> Exported:
    """Join the input with its outcomes and publish both outputs in `directory`.

    With an `origin` the results get the card of a dataset. Memory stays flat; the same input and
    outcomes make the same bytes.

    Raises:
        OutputError: the files cannot be created, or the format cannot hold a type of the input.
        StorageError: writing failed, or an outcome belongs to no row of the input.
    """
    planned = layout(material.schema, material.value, material.samples)
    failed, pending = 0, material.unread * material.samples
    figures = Figures(pending=pending)
    kept = {} if origin is None else dataset_folder.prepare(directory, kind, planned.results)
    with publication(directory) as published:
        start = kind.starting(planned.results, material.metadata)
        results = Partitions(published, kind.results, kind.bounds, start)
        errors = None
        if kind.errors is not None:
            start = kind.starting(planned.errors, material.metadata)
            errors = Partitions(published, kind.errors, kind.bounds, start)
        with results, errors or contextlib.nullcontext():
            for joined in join(material.batches, material.outcomes, planned):
                pending += joined.pending
                if joined.results is not None:
                    results.write(joined.results)
                if joined.errors is not None:
                    failed += joined.errors.num_rows
                    if errors is not None:
                        errors.write(joined.errors)
                if origin is not None:
                    figures.add(joined)
        if origin is not None:
            dataset_folder.add_card(published, results, figures, origin, kept)
    return Exported(
        results=results.rows,
        errors=failed,
        pending=pending,
        results_path=results.path,
        errors_path=None if errors is None else errors.path,
    )
