"""Prompt files, read: JSON Lines and Parquet in; `Prompt | Failure` and Arrow batches out."""

from batcher.inputs.dataset import Dataset
from batcher.inputs.files import Compression, FileFormat, InputFile, discover, may_be_input
from batcher.inputs.reach import passes_over, reaches
from batcher.inputs.rows import ArrowArray, ArrowStream, Rows, spool_rows
from batcher.inputs.spool import SPOOLED, keep_spooled
from batcher.inputs.stdin import spool_stdin
from batcher.inputs.urls import OUTPUTS

__all__ = [
    "OUTPUTS",
    "SPOOLED",
    "ArrowArray",
    "ArrowStream",
    "Compression",
    "Dataset",
    "FileFormat",
    "InputFile",
    "Rows",
    "discover",
    "keep_spooled",
    "may_be_input",
    "passes_over",
    "reaches",
    "spool_rows",
    "spool_stdin",
]
