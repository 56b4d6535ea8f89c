"""Input and recorded outcomes in; results and errors out, published together.

batches + outcomes -> join -> Joined -> two outputs of one or more files, each draft with its sink
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from batcher.outputs import dataset_folder
from batcher.outputs.card import Origin
from batcher.outputs.figures import Figures
from batcher.outputs.formats import Format, kind_of
from batcher.outputs.interface import OpenSink, StartSink
from batcher.outputs.join import join
from batcher.outputs.layout import layout
from batcher.outputs.partitions import Bounds, Partitions
from batcher.outputs.publication import publication
from batcher.recorded import Recorded
from batcher.structured import StructOf


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


def export(  # noqa: PLR0913 -- the input, its outcomes, and all that an export may be told
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    outcomes: Iterator[Recorded],
    directory: Path,
    *,
    format: Format = "parquet",  # noqa: A002 # the word of the command line
    metadata: Mapping[str, str],
    samples: int = 1,
    value: StructOf | None = None,
    partition_rows: int | None = None,
    origin: Origin | None = None,
    unread: int = 0,
) -> Exported:
    """Join the input with its outcomes and publish both outputs in `directory`.

    `batches` have `schema`: row, id, source_file, source_line, source_text, and the struct
    `input` of the user's columns. Both they and `outcomes` come in ascending order of rows.
    Each row has `samples` outcomes: that of sample s of row r is numbered r * samples + s.
    `value` is what each answer holds, where the job wants one of known fields. `metadata` goes
    into the Parquet files under its own keys. With `partition_rows`, each output has files of at
    most so many rows. With an `origin` the results get the card of a dataset. `unread` outcomes
    more are pending, of rows behind the batches. Memory stays flat; the same input and outcomes
    make the same bytes.

    Raises:
        OutputError: the files cannot be created, or the format cannot hold a type of the input.
        StorageError: writing failed, or an outcome belongs to no row of the input.
    """
    kind = kind_of(format, partitioned=partition_rows is not None)
    bounds = Bounds(partition_rows, kind.most_bytes)
    planned = layout(schema, value, samples)
    failed, pending = 0, unread
    figures = Figures(pending=unread)
    kept = {} if origin is None else dataset_folder.prepare(directory, kind, planned.results)
    with publication(directory) as published:
        start = _start(kind.open_sink, planned.results, metadata)
        results = Partitions(published, kind.results, bounds, start)
        errors = None
        if kind.errors is not None:
            start = _start(kind.open_sink, planned.errors, metadata)
            errors = Partitions(published, kind.errors, bounds, start)
        with results, errors or contextlib.nullcontext():
            for joined in join(batches, outcomes, planned):
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


def _start(open_sink: OpenSink, schema: pa.Schema, metadata: Mapping[str, str]) -> StartSink:
    return lambda file: open_sink(file, schema, metadata)
