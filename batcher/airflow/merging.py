"""`MergeOperator`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from airflow.sdk import BaseOperator, Context, XComArg

from batcher.airflow.ending import consequences
from batcher.airflow.figures import Figures
from batcher.airflow.instance import TaskInstance, lasting_directory
from batcher.airflow.link import ReportLink
from batcher.airflow.rendered import or_none, renderable
from batcher.api.options import PathName

Run: TypeAlias = PathName | Mapping[str, Any]
"""A run directory, or what a task returns that has one."""
Runs: TypeAlias = Run | Iterable[Run]


class MergeOperator(BaseOperator):
    """Joins the runs of mapped tasks in one directory, as `batcher merge` does; calls nothing.

    The templated fields are `runs`, `directory` and `report_url`.

    Args:
        runs: Run directories, or the output of a mapped `BatcherOperator`; also just one of them.
        directory: Where they are joined; else a directory of this task of this DAG run.
        on: What follows from which ending, as with `BatcherOperator`: rows that none of the runs
            has an outcome for make it "pending".
        report_url: Where the report can be looked at, if its directory is served.
        **kwargs: Those of every operator.

    Returns `Figures` as XCom, also where it fails.
    """

    template_fields: Sequence[str] = ("runs", "directory", "report_url")
    operator_extra_links = (ReportLink(),)
    ui_color = "#e8f0d8"

    def __init__(
        self,
        *,
        runs: Runs | XComArg,
        directory: PathName | None = None,
        on: Mapping[str, str] | None = None,
        report_url: str | None = None,
        **kwargs: Any,  # noqa: ANN401 # those of Airflow's class
    ) -> None:
        super().__init__(**kwargs)
        self.runs: Any = renderable(runs)
        self.directory = renderable(directory)
        self.on = on
        self.report_url = report_url
        self.report_link: str | None = None
        # As in `BatcherOperator`.
        consequences(on)

    def execute(self, context: Context) -> Figures:
        """Merge.

        Raises:
            AirflowSkipException, AirflowFailException, AirflowException: see `batcher.airflow.run`.
        """
        # As in `BatcherOperator`.
        from batcher.airflow.merged import merged  # noqa: PLC0415 -- see above
        from batcher.airflow.task_log import TaskLog  # noqa: PLC0415 -- see above

        ti = cast("TaskInstance", context["ti"])
        to = or_none(self.directory) or lasting_directory(ti)
        outcome = merged(self.runs, to, TaskLog(logging.getLogger("batcher")))
        self.report_link = outcome.report_link(or_none(self.report_url))
        return outcome.followed(ti, consequences(self.on))
