"""What mapped tasks have called, joined."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from batcher.airflow.ending import ending_of_code, ending_of_error, said
from batcher.airflow.figures import figures_of
from batcher.airflow.instance import whole
from batcher.airflow.merging import Run, Runs
from batcher.airflow.outcome import Outcome
from batcher.airflow.rendered import at_once
from batcher.airflow.task_log import TaskLog
from batcher.api.options import PathName
from batcher.api.result import result_of_merge
from batcher.errors import BatcherError, UsageError
from batcher.runs.directory import RunDirectory
from batcher.runs.merge import merge_runs
from batcher.runs.merged import Merged
from batcher.wording import counted


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
