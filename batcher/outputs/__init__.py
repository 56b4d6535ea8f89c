"""The projection of a checkpoint: results and errors beside their input, published whole."""

from batcher.outputs.card import Origin
from batcher.outputs.differences import write_differences
from batcher.outputs.export import Exported, export
from batcher.outputs.formats import Format, kind_of
from batcher.outputs.head import read_head
from batcher.outputs.publication import sync_directory
from batcher.outputs.verification import problems as output_problems

__all__ = [
    "Exported",
    "Format",
    "Origin",
    "export",
    "kind_of",
    "output_problems",
    "read_head",
    "sync_directory",
    "write_differences",
]
