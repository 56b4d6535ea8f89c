"""The composition root: the only place that joins the rooms."""

from batcher.run.calling import Callee
from batcher.run.directory import RunDirectory
from batcher.run.export import export_run
from batcher.run.head import first_results
from batcher.run.resume import Change
from batcher.run.session import RunResult, Session
from batcher.run.status import Status, status_of
from batcher.run.survey import STAND_IN, Survey, check, preview
from batcher.run.verify import Verification, mend, verify

__all__ = [
    "STAND_IN",
    "Callee",
    "Change",
    "RunDirectory",
    "RunResult",
    "Session",
    "Status",
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
