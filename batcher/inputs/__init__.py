"""Prompt files, read: JSON Lines and Parquet in; `Prompt | Failure` and Arrow batches out."""

from batcher.inputs.dataset import Dataset
from batcher.inputs.files import InputFile, discover
from batcher.inputs.stdin import keep_spooled, spool_stdin

__all__ = ["Dataset", "InputFile", "discover", "keep_spooled", "spool_stdin"]
