"""The formats of an export: how their files are called, and what writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from batcher.outputs.batch_sink import open_batch
from batcher.outputs.csv_sink import open_csv
from batcher.outputs.interface import OpenSink, StartSink
from batcher.outputs.jsonl_sink import open_jsonl
from batcher.outputs.parquet_sink import open_parquet
from batcher.outputs.partitions import Bounds, Naming

Format = Literal["parquet", "jsonl", "csv", "hf", "batch"]

# As `datasets` divides its own (MAX_SHARD_SIZE), so that no file is too large to upload.
_SHARD_BYTES = 500_000_000

_TABLES: dict[Format, OpenSink] = {"parquet": open_parquet, "jsonl": open_jsonl, "csv": open_csv}


@dataclass(frozen=True, slots=True)
class Kind:
    """How the two outputs of a format are called and written.

    `errors` is None where it has no place for them. Each file is within `bounds`.
    """

    open_sink: OpenSink
    results: Naming
    errors: Naming | None
    bounds: Bounds

    def starting(self, schema: pa.Schema, metadata: Mapping[str, str]) -> StartSink:
        """Return what begins a file of rows of `schema`."""
        return lambda file: self.open_sink(file, schema, metadata)

    @property
    def names(self) -> list[str]:
        """What its first files are called where there is one of each."""
        return [naming.name(0, 1) for naming in (self.results, self.errors) if naming]

    def may_be(self, name: str) -> bool:
        """Whether a file of this name may be written over, or be removed as an earlier export's."""
        return self.results.may_be(name) or (self.errors is not None and self.errors.may_be(name))


def kind_of(file_format: Format, partition_rows: int | None = None) -> Kind:
    """Return how the files of a format are called and written.

    With `partition_rows`, each output has files of at most so many rows.
    """
    partitioned = partition_rows is not None
    match file_format:
        case "hf":
            # Its names have numbers also where there is but one file, as those of `datasets`.
            results = Naming("data/train", ".parquet", is_partitioned=True)
            return Kind(open_parquet, results, None, Bounds(partition_rows, _SHARD_BYTES))
        case "batch":
            return Kind(
                open_batch,
                Naming("output", ".jsonl", partitioned),
                Naming("error", ".jsonl", partitioned),
                Bounds(partition_rows),
            )
        case _:
            return Kind(
                _TABLES[file_format],
                Naming("results", f".{file_format}", partitioned),
                Naming("errors", f".{file_format}", partitioned),
                Bounds(partition_rows),
            )


PARQUET = kind_of("parquet")
"""As a run writes its own outputs."""
