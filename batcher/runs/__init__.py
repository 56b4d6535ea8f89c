"""The composition root: the only place that joins the rooms."""

from batcher.runs.calling import Callee
from batcher.runs.directory import RunDirectory
from batcher.runs.export import export_run
from batcher.runs.head import first_results
from batcher.runs.resume import Change
from batcher.runs.session import RunResult, Session
from batcher.runs.signals import Signals
from batcher.runs.status import Status, status_of
from batcher.runs.stopping import Asked, Stopping
from batcher.runs.survey import STAND_IN, Survey, check, preview
from batcher.runs.verify import Verification, mend, verify

__all__ = [
    "STAND_IN",
    "Asked",
    "Callee",
    "Change",
    "RunDirectory",
    "RunResult",
    "Session",
    "Signals",
    "Status",
    "Stopping",
    "Survey",
    "Verification",
    "check",
    "export_run",
    "first_results",
    "mend",
    "preview",
    "status_of",
    "verify",
]
