"""The only truth of a run: a SQLite file that remembers every outcome, and the lock before it."""

from batcher.checkpoint.group_commit import GroupCommit
from batcher.checkpoint.lock import RunLock
from batcher.checkpoint.placement import Comparison, Placement
from batcher.checkpoint.rowset import RowSet
from batcher.checkpoint.store import Checkpoint

__all__ = [
    "Checkpoint",
    "Comparison",
    "GroupCommit",
    "Placement",
    "RowSet",
    "RunLock",
]
