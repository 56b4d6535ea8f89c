"""`MergeOperator`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

from airflow.sdk import BaseOperator, Context, XComArg

from batcher.airflow.ending import consequences, ending_of_code, ending_of_error, said
from batcher.airflow.figures import Figures, figures_of
from batcher.airflow.instance import TaskInstance, lasting_directory, whole
from batcher.airflow.link import ReportLink
from batcher.airflow.outcome import Outcome
from batcher.airflow.rendered import at_once, or_none, renderable
from batcher.airflow.task_log import TaskLog
from batcher.api.options import PathName
from batcher.api.result import result_of_merge
from batcher.errors import BatcherError, UsageError
from batcher.runs.directory import RunDirectory
from batcher.runs.merge import merge_runs
from batcher.runs.merged import Merged
from batcher.wording import counted

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
        ti = cast("TaskInstance", context["ti"])
        to = or_none(self.directory) or lasting_directory(ti)
        outcome = merged(self.runs, to, TaskLog(logging.getLogger("batcher")))
        self.report_link = outcome.report_link(or_none(self.report_url))
        return outcome.followed(ti, consequences(self.on))


def merged(runs: Runs, to: PathName, log: TaskLog) -> Outcome:
    """Join `runs` in the directory `to`; what that can end with is a value."""
    try:
        sources = [RunDirectory(_place(run)) for run in _each(runs)]
        found = merge_runs(sources, RunDirectory.named(os.fspath(whole(to))))
    except (BatcherError, OSError) as error:
        return Outcome(ending_of_error(error), said(error))
    log.say("\n".join(found.summary.lines()))
    ending = ending_of_code(found.exit_code, found.summary.counts)
    figures = figures_of(result_of_merge(found), ending, found.summary.to)
    return Outcome(ending, _why(found), figures)


def _each(runs: Runs) -> Iterable[Run]:
    if isinstance(runs, str | os.PathLike | Mapping):
        return [runs]
    if not isinstance(runs, Iterable):
        raise UsageError(f"runs names run directories, and {runs!r:.80} is none")
    return at_once(runs)


def _place(run: object) -> Path:
    place = run.get("directory") if isinstance(run, Mapping) else run
    if isinstance(place, str | os.PathLike):
        return Path(place)
    raise UsageError(f"runs names run directories, and {place!r:.80} is none")


def _why(found: Merged) -> str:
    counts, pending = found.summary.counts, found.summary.pending
    left = "some rows" if pending is None else counted(pending, "row")
    return f"{left} pending, {counted(counts.error_rows, 'error')} of {counted(counts.rows, 'row')}"
