"""Input and recorded outcomes in; `results` and `errors` out, published together.

batches + outcomes -> join -> Joined -> two sinks on two drafts -> results.*, errors.*
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from batcher.errors import OutputError, StorageError
from batcher.outputs.csv_sink import open_csv
from batcher.outputs.interface import OpenSink, Sink
from batcher.outputs.join import join
from batcher.outputs.jsonl_sink import open_jsonl
from batcher.outputs.layout import layout
from batcher.outputs.parquet_sink import open_parquet
from batcher.outputs.publication import Draft, drafts, writing
from batcher.recorded import Recorded
from batcher.structured import StructOf

Format = Literal["parquet", "jsonl", "csv"]

_SINKS: Mapping[Format, OpenSink] = {
    "parquet": open_parquet,
    "jsonl": open_jsonl,
    "csv": open_csv,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was published, in rows; `pending` rows have no outcome yet and are in neither file."""

    results: int
    errors: int
    pending: int
    results_path: Path
    errors_path: Path


def export(
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    outcomes: Iterator[Recorded],
    directory: Path,
    *,
    format: Format = "parquet",  # noqa: A002 # the word of the command line
    metadata: Mapping[str, str],
    value: StructOf | None = None,
) -> Exported:
    """Join the input with its outcomes and publish both files in `directory`.

    `batches` have `schema`: row, id, source_file, source_line, source_text, and the struct
    `input` of the user's columns. Both they and `outcomes` come in ascending order of rows.
    `value` is what each answer holds, where the job wants one of known fields. `metadata` goes
    into the Parquet files under its own keys. Memory stays flat; the same input and outcomes make
    the same bytes.

    Raises:
        OutputError: the files cannot be created, or the format cannot hold a type of the input.
        StorageError: writing failed, or an outcome belongs to no row of the input.
    """
    open_sink = _SINKS[format]
    planned = layout(schema, value)
    results = errors = pending = 0
    names = f"results.{format}", f"errors.{format}"
    with (
        drafts(directory, *names) as (result_draft, error_draft),
        _sink(open_sink, result_draft, planned.results, metadata) as result_sink,
        _sink(open_sink, error_draft, planned.errors, metadata) as error_sink,
    ):
        for joined in join(batches, outcomes, planned):
            results += _write(joined.results, result_sink, result_draft.target)
            errors += _write(joined.errors, error_sink, error_draft.target)
            pending += joined.pending
    return Exported(results, errors, pending, result_draft.target, error_draft.target)


@contextlib.contextmanager
def _sink(
    open_sink: OpenSink, draft: Draft, schema: pa.Schema, metadata: Mapping[str, str]
) -> Iterator[Sink]:
    """Open a sink on `draft`; only its own errors are translated, never those of its body."""
    with contextlib.ExitStack() as stack:
        try:
            with writing(draft.target):
                sink = stack.enter_context(open_sink(draft.file, schema, metadata))
        except pa.ArrowException as error:
            raise OutputError(
                f"cannot create {draft.target}: {error}; --format jsonl holds any column"
            ) from error
        yield sink
        with _translated(draft.target):
            stack.close()


def _write(batch: pa.RecordBatch | None, sink: Sink, target: Path) -> int:
    """Write `batch`, if any, and return its rows."""
    if batch is None:
        return 0
    with _translated(target):
        sink.write(batch)
    return batch.num_rows


@contextlib.contextmanager
def _translated(target: Path) -> Iterator[None]:
    """Translate what goes wrong while rows go into `target`."""
    try:
        with writing(target):
            yield
    except pa.ArrowException as error:
        raise StorageError(
            f"cannot write {target}: {error}; --format jsonl holds any value"
        ) from error
