"""What a file format offers: a sink that takes record batches in row order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

import pyarrow as pa


class Sink(Protocol):
    """Writes record batches of one schema into one file."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of `batch` after all rows before.

        Raises:
            OSError: the file cannot take them.
            pyarrow.ArrowException: the format cannot hold them.
        """


OpenSink = Callable[
    [BinaryIO, pa.Schema, Mapping[str, str]],
    AbstractContextManager[Sink],
]
"""Opens a sink on an empty file with a schema and the file's metadata.

Leaving the context without an exception completes the content of the file; the file itself
stays open, since it belongs to the caller. Formats with no place for metadata ignore it.
A format that cannot hold a type of the schema raises `pyarrow.ArrowException` on opening.
"""

StartSink = Callable[[BinaryIO], AbstractContextManager[Sink]]
"""An `OpenSink` that knows its schema and metadata: one for each file of an output."""
