"""The composition root: the only place that joins the rooms."""

from batcher.run.directory import RunDirectory
from batcher.run.export import export_run
from batcher.run.session import RunResult, Session
from batcher.run.status import Status, status_of
from batcher.run.survey import Survey, check, preview

__all__ = [
    "RunDirectory",
    "RunResult",
    "Session",
    "Status",
    "Survey",
    "check",
    "export_run",
    "preview",
    "status_of",
]
