"""The formats of an export: how their files are called, and what writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from batcher.outputs.batch_sink import open_batch
from batcher.outputs.csv_sink import open_csv
from batcher.outputs.interface import OpenSink
from batcher.outputs.jsonl_sink import open_jsonl
from batcher.outputs.parquet_sink import open_parquet
from batcher.outputs.partitions import Naming

Format = Literal["parquet", "jsonl", "csv", "hf", "batch"]

# As `datasets` divides its own (MAX_SHARD_SIZE), so that no file is too large to upload.
_SHARD_BYTES = 500_000_000

_TABLES: dict[Format, OpenSink] = {"parquet": open_parquet, "jsonl": open_jsonl, "csv": open_csv}


@dataclass(frozen=True, slots=True)
class Kind:
    """How the two outputs of a format are called and written.

    `errors` is None where it has no place for them. A partition has at most `most_bytes` in
    memory, or as many as it likes.
    """

    open_sink: OpenSink
    results: Naming
    errors: Naming | None
    most_bytes: int | None = None

    @property
    def names(self) -> list[str]:
        """What its first files are called where there is one of each."""
        return [naming.name(0, 1) for naming in (self.results, self.errors) if naming]

    def may_be(self, name: str) -> bool:
        """Whether a file of this name may be written over, or be removed as an earlier export's."""
        return self.results.may_be(name) or (self.errors is not None and self.errors.may_be(name))


def kind_of(format: Format, *, partitioned: bool) -> Kind:  # noqa: A002 # as in `export`
    """Return how the files of a format are called and written."""
    match format:
        case "hf":
            # Its names have numbers also where there is but one file, as those of `datasets`.
            results = Naming("data/train", ".parquet", is_partitioned=True)
            return Kind(open_parquet, results, None, _SHARD_BYTES)
        case "batch":
            return Kind(
                open_batch,
                Naming("output", ".jsonl", partitioned),
                Naming("error", ".jsonl", partitioned),
            )
        case _:
            return Kind(
                _TABLES[format],
                Naming("results", f".{format}", partitioned),
                Naming("errors", f".{format}", partitioned),
            )
