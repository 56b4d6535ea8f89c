"""A published Parquet file, read again: batch by batch, its pages checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from batcher.errors import StorageError


def read_batches(path: Path) -> pa.RecordBatchReader:
    """Return a reader of the file as it is now, though another takes its place later.

    It closes the file at the end. Of a damaged page it raises what pyarrow does, an OSError.

    Raises:
        StorageError: there is no such file, or it is no Parquet file.
    """
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise StorageError(f"cannot read {path}: {reason}; export it again") from None

    def batches() -> Iterator[pa.RecordBatch]:
        with file:
            yield from file.iter_batches()

    return pa.RecordBatchReader.from_batches(file.schema_arrow, batches())
