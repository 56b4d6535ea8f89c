"""How a run ended, and how its task ends by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from batcher.airflow.ending import Consequence, Consequences, Ending, what_follows
from batcher.airflow.figures import Figures
from batcher.airflow.instance import TaskInstance

RETURN_KEY = "return_value"
"""Under which Airflow keeps what a task returns."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended and why; `figures` are what there is to tell, None where it never began."""

    ending: Ending
    why: str
    figures: Figures | None = None

    def followed(self, ti: TaskInstance, consequences: Consequences) -> Figures:
        """Return what the task returns, or raise what follows, once that has been pushed."""
        consequence = consequences[self.ending]
        if self.figures is not None and consequence is Consequence.SUCCEED:
            return self.figures
        if self.figures is not None:
            ti.xcom_push(RETURN_KEY, self.figures)
        raise what_follows(consequence, self.why)

    def report_link(self, served_at: str | None) -> str:
        """Return where the report is: where it is `served_at`, else its URL, else its file."""
        if self.figures is None or self.figures["report"] is None:
            return ""
        report, to = Path(self.figures["report"]), self.figures["to"]
        return served_at or (
            report.absolute().as_uri() if to is None else f"{to.rstrip('/')}/{report.name}"
        )
