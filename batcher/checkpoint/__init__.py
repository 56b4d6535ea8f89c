"""The only truth of a run: a SQLite file that remembers every outcome, and the lock before it."""

from batcher.checkpoint.access import ClosedError
from batcher.checkpoint.adoption import adopt
from batcher.checkpoint.aside import holds_nothing, set_aside, those_aside
from batcher.checkpoint.backup import Backup, state_of
from batcher.checkpoint.choice import Chosen, ErrorChoice, choose
from batcher.checkpoint.claims import Claims
from batcher.checkpoint.connection import damaged
from batcher.checkpoint.descent import called_itself
from batcher.checkpoint.excerpt import Excerpt, first_errors
from batcher.checkpoint.following import FollowedCheckpoint
from batcher.checkpoint.group_commit import GroupCommit
from batcher.checkpoint.lineage import LINEAGE, Lineage, Step, begin_line, is_in, lineage_of
from batcher.checkpoint.lock import RunLock
from batcher.checkpoint.mending import is_mendable
from batcher.checkpoint.merging import Merging, OfRun
from batcher.checkpoint.ownership import BEAT_S, Process
from batcher.checkpoint.pairs import pairs
from batcher.checkpoint.placement import Comparison, Placement
from batcher.checkpoint.reader import CUT_SHORT, KILLED_CALLS, PRICES, CheckpointReader
from batcher.checkpoint.renumbering import Numbered
from batcher.checkpoint.reserve import Reserve
from batcher.checkpoint.rowset import AllBut, Done, RowSet
from batcher.checkpoint.settlement import Settlement
from batcher.checkpoint.space import Free, free_at
from batcher.checkpoint.store import Checkpoint
from batcher.checkpoint.unrecorded import BESIDE, SPENT_COST, SPENT_TOKENS
from batcher.checkpoint.verification import problems as checkpoint_problems

__all__ = [
    "BEAT_S",
    "BESIDE",
    "CUT_SHORT",
    "KILLED_CALLS",
    "LINEAGE",
    "PRICES",
    "SPENT_COST",
    "SPENT_TOKENS",
    "AllBut",
    "Backup",
    "Checkpoint",
    "CheckpointReader",
    "Chosen",
    "Claims",
    "ClosedError",
    "Comparison",
    "Done",
    "ErrorChoice",
    "Excerpt",
    "FollowedCheckpoint",
    "Free",
    "GroupCommit",
    "Lineage",
    "Merging",
    "Numbered",
    "OfRun",
    "Placement",
    "Process",
    "Reserve",
    "RowSet",
    "RunLock",
    "Settlement",
    "Step",
    "adopt",
    "begin_line",
    "called_itself",
    "checkpoint_problems",
    "choose",
    "damaged",
    "first_errors",
    "free_at",
    "holds_nothing",
    "is_in",
    "is_mendable",
    "lineage_of",
    "pairs",
    "set_aside",
    "state_of",
    "those_aside",
]
