"""The projection of a checkpoint: results and errors beside their input, published whole."""

from batcher.outputs.export import Exported, Format, export
from batcher.outputs.head import read_head

__all__ = ["Exported", "Format", "export", "read_head"]
