"""The projection of a checkpoint: results and errors beside their input, published whole."""

from batcher.outputs.export import Exported, Format, export
from batcher.outputs.head import read_head
from batcher.outputs.publication import sync_directory
from batcher.outputs.reading import read_batches
from batcher.outputs.verification import problems as output_problems

__all__ = [
    "Exported",
    "Format",
    "export",
    "output_problems",
    "read_batches",
    "read_head",
    "sync_directory",
]
