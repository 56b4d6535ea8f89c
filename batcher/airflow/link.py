"""The report of a run, as a button of its task."""

from __future__ import annotations

from airflow.sdk import BaseOperator, BaseOperatorLink


class ReportLink(BaseOperatorLink):
    """Leads to where the operator's `report_link` says; nowhere, where that says nothing."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: object) -> str:  # noqa: ARG002 # Airflow's
        """Return where it is; Airflow asks in the task's process, once it has ended."""
        return getattr(operator, "report_link", None) or ""
