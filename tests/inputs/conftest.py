"""Builders of input files; of session scope, so that property tests may use them."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batcher.inputs.files import SUFFIXES, InputFile

WriteLines = Callable[..., InputFile]
WriteTable = Callable[..., InputFile]


@pytest.fixture(scope="session")
def new_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a path that no other test has, with this suffix."""
    numbers: Iterator[int] = itertools.count()
    directory = tmp_path_factory.mktemp("inputs")
    return lambda suffix: directory / f"{next(numbers)}{suffix}"


@pytest.fixture(scope="session")
def write_lines(new_path: Callable[[str], Path]) -> WriteLines:
    """Write bytes as a JSON Lines file called `prompts.jsonl`, compressed as the suffix says."""

    def write(content: bytes, suffix: str = ".jsonl") -> InputFile:
        path = new_path(suffix)
        kind, compression = SUFFIXES[suffix]
        if compression == "gzip":
            content = gzip.compress(content)
        elif compression == "zstd":
            content = pa.compress(content, codec="zstd", asbytes=True)
        path.write_bytes(content)
        return InputFile(path, f"prompts{suffix}", kind, compression)

    return write


@pytest.fixture(scope="session")
def write_table(new_path: Callable[[str], Path]) -> WriteTable:
    """Write a table as a Parquet file called `prompts.parquet`."""

    def write(table: pa.Table | dict[str, Any], **options: Any) -> InputFile:  # noqa: ANN401 # pyarrow's own
        path = new_path(".parquet")
        pq.write_table(pa.table(table) if isinstance(table, dict) else table, path, **options)
        return InputFile(path, "prompts.parquet", "parquet", None)

    return write
