"""The projection of a checkpoint: results and errors beside their input, published whole."""

from batcher.outputs.card import NAME as CARD
from batcher.outputs.card import Origin
from batcher.outputs.differences import write_differences
from batcher.outputs.export import Exported, export
from batcher.outputs.formats import PARQUET, Format, Kind, kind_of
from batcher.outputs.head import read_head
from batcher.outputs.material import Material
from batcher.outputs.polls import Ballot
from batcher.outputs.publication import publish_text
from batcher.outputs.reading import read_batches
from batcher.outputs.verification import problems as output_problems
from batcher.outputs.votes import Voted, export_votes, votes_of

__all__ = [
    "CARD",
    "PARQUET",
    "Ballot",
    "Exported",
    "Format",
    "Kind",
    "Material",
    "Origin",
    "Voted",
    "export",
    "export_votes",
    "kind_of",
    "output_problems",
    "publish_text",
    "read_batches",
    "read_head",
    "votes_of",
    "write_differences",
]
