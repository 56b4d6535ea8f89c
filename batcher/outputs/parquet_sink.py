"""Parquet: the exact types of the input, zstd, a checksum on every page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

# A row group is what a writer holds in memory and a reader can skip; whichever comes first.
GROUP_ROWS = 64 * 1024
GROUP_BYTES = 32 * 1024 * 1024
COMPRESSION: Literal["zstd", "none"] = "zstd"


class ParquetSink:
    """Gathers batches into row groups of bounded size.

    A group is compressed and written in `thread`, while the next one gathers.
    """

    def __init__(self, writer: pq.ParquetWriter, thread: ThreadPoolExecutor) -> None:
        self._writer = writer
        self._thread = thread
        self._writing: Future[None] | None = None
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; writes a row group when enough have gathered."""
        self._batches.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Have what has gathered written as one row group, once the one before is."""
        self.settle()
        if self._batches:
            group = pa.Table.from_batches(self._batches)
            self._writing = self._thread.submit(self._writer.write_table, group, self._rows)
            self._batches, self._rows, self._bytes = [], 0, 0

    def settle(self) -> None:
        """Wait for the group that is being written; raises what went wrong with it."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()


@contextlib.contextmanager
def open_parquet(
    file: BinaryIO, schema: pa.Schema, metadata: Mapping[str, str]
) -> Iterator[ParquetSink]:
    """Open a Parquet sink; see `interface.OpenSink`."""
    writer = pq.ParquetWriter(
        file,
        schema.with_metadata({**metadata}),
        compression=COMPRESSION,
        write_page_checksum=True,
    )
    try:
        # Left, whatever happens, only when nothing is being written any more.
        with ThreadPoolExecutor(1, "parquet") as thread:
            sink = ParquetSink(writer, thread)
            yield sink
            sink.flush()
            sink.settle()
        writer.close()
    finally:
        # Else a writer that failed would write its footer when it is collected, into a file
        # that is closed by then.
        writer.is_open = False
