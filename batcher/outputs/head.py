"""The first rows of a published file, for showing them."""

from __future__ import annotations

import csv
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from batcher.errors import StorageError
from batcher.outputs.json_values import json_values

Row = dict[str, Any]

# A field of a CSV file must fit into a block of its reader.
_CSV_BLOCK_BYTES = 64 * 1024 * 1024


def read_head(path: Path, n: int) -> list[Row]:
    """Return up to `n` first rows of a file that `export` wrote, for showing them.

    Values are those of JSON, see `json_values`; rows of CSV hold only text and None.

    Raises:
        StorageError: there is no such file, or it is damaged.
    """
    if n < 1:
        return []
    try:
        return _READERS[path.suffix](path, n)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StorageError(f"cannot read {path}: {error}; export it again") from error


def _parquet(path: Path, n: int) -> list[Row]:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        first = next(file.iter_batches(n), None)
    if first is None:
        return []
    # Not `to_pylist`, which fails on moments finer than Python's.
    rows = zip(*map(json_values, first.columns), strict=True)
    return [dict(zip(first.schema.names, row, strict=True)) for row in rows]


def _jsonl(path: Path, n: int) -> list[Row]:
    with path.open(encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in islice(file, n)]


def _csv(path: Path, n: int) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        names = next(csv.reader(file))
    reader = pa_csv.open_csv(
        path,
        read_options=pa_csv.ReadOptions(block_size=_CSV_BLOCK_BYTES),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        # Ids such as 007 are text, and only an unquoted empty field is null.
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )
    with reader:
        first = next(iter(reader), None)
    return [] if first is None else first.slice(0, n).to_pylist()


_READERS = {".parquet": _parquet, ".jsonl": _jsonl, ".csv": _csv}
