"""The composition root: the only place that joins the rooms."""

from batcher.checkpoint import ErrorChoice
from batcher.runs.calling import Callee
from batcher.runs.delivery import target_of
from batcher.runs.diff import diff
from batcher.runs.directory import RunDirectory
from batcher.runs.estimate import Assumptions, Estimator
from batcher.runs.export import export_run, vote_run
from batcher.runs.head import first_results
from batcher.runs.merge import merge_runs
from batcher.runs.merged import Merged
from batcher.runs.quote import Quote
from batcher.runs.quote_lines import quote_lines
from batcher.runs.report import Reporter
from batcher.runs.result import RunResult
from batcher.runs.resume import Change
from batcher.runs.retry import EarlierRun, error_classes
from batcher.runs.selection import WHOLE_INPUT, Portion
from batcher.runs.session import Session
from batcher.runs.shard import Shard
from batcher.runs.signals import Signals
from batcher.runs.status import Status, status_of
from batcher.runs.stopping import Asked, Stopping
from batcher.runs.survey import STAND_IN, Survey, check, preview
from batcher.runs.verify import Verification, mend, verify

__all__ = [
    "STAND_IN",
    "WHOLE_INPUT",
    "Asked",
    "Assumptions",
    "Callee",
    "Change",
    "EarlierRun",
    "ErrorChoice",
    "Estimator",
    "Merged",
    "Portion",
    "Quote",
    "Reporter",
    "RunDirectory",
    "RunResult",
    "Session",
    "Shard",
    "Signals",
    "Status",
    "Stopping",
    "Survey",
    "Verification",
    "check",
    "diff",
    "error_classes",
    "export_run",
    "first_results",
    "mend",
    "merge_runs",
    "preview",
    "quote_lines",
    "status_of",
    "target_of",
    "verify",
    "vote_run",
]
