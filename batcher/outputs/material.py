"""What an export is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from batcher.recorded import Recorded
from batcher.structured import StructOf


@dataclass(frozen=True, slots=True)
class Material:
    """The input of a run and its recorded outcomes, which are gone through once.

    `batches` have `schema`: row, id, source_file, source_line, source_text, and the struct
    `input` of the user's columns. Both they and `outcomes` come in ascending order of rows.
    Each row has `samples` outcomes: that of sample s of row r is numbered r * samples + s.
    Behind the batches are `unread` rows more, which have none. `value` is what each answer holds,
    where the job wants one of known fields. `metadata` goes into Parquet files under its own keys.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    outcomes: Iterator[Recorded]
    metadata: Mapping[str, str] = field(default_factory=dict)
    samples: int = 1
    value: StructOf | None = None
    unread: int = 0
