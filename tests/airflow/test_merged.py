"""Shards joined by a task."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import batcher
from batcher.airflow.ending import Ending
from batcher.airflow.merged import merged
from batcher.airflow.merging import Runs
from batcher.airflow.task_log import TaskLog

AT_ONCE = batcher.SimulatorConfig(latency_s=0)
LOG = TaskLog(logging.getLogger("batcher"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with an input of 20 rows."""
    monkeypatch.chdir(tmp_path)
    text = "".join(f'{{"id": "r{n}", "prompt": "Say {n}"}}\n' for n in range(20))
    Path("prompts.jsonl").write_text(text, "utf-8")
    return tmp_path


def _shard(number: int, max_rows: int | None = None, to: str | None = None) -> batcher.Result:
    return batcher.run(
        "prompts.jsonl",
        shard=(number, 2),
        output=f"shard-{number}",
        simulate=AT_ONCE,
        progress=False,
        max_rows=max_rows,
        to=to,
    )


def test_what_mapped_tasks_return_is_joined(folder: Path) -> None:
    runs = [{"directory": str(_shard(number).directory)} for number in (1, 2)]
    outcome = merged(runs, folder / "all", LOG)
    assert outcome.ending is Ending.DONE
    assert outcome.figures is not None
    assert (outcome.figures["results"], outcome.figures["pending"]) == (20, 0)
    assert outcome.report_link(None) == (folder / "all" / "report.html").as_uri()


def test_where_a_merge_puts_its_files_is_told(folder: Path) -> None:
    there = (folder / "there").as_uri()
    runs = [str(_shard(number, to=there).directory) for number in (1, 2)]
    outcome = merged(runs, folder / "all", LOG)
    assert outcome.figures is not None
    assert outcome.figures["to"] == there
    assert outcome.report_link(None) == f"{there}/report.html"
    assert (folder / "there" / "results.parquet").exists()


@pytest.mark.parametrize("kind", [str, Path, lambda run: {"ended": "done", "directory": run}])
def test_one_run_that_is_not_mapped_is_joined_alone(
    folder: Path, kind: Callable[[str], Runs]
) -> None:
    run = str(batcher.run("prompts.jsonl", output="one", simulate=AT_ONCE).directory)
    outcome = merged(kind(run), folder / "all", LOG)
    assert (outcome.ending, outcome.why) == (Ending.DONE, "0 rows pending, 0 errors of 20 rows")


def test_rows_that_no_shard_has_are_told_of(folder: Path) -> None:
    runs = [str(_shard(1).directory), str(_shard(2, max_rows=4).directory)]
    outcome = merged(runs, folder / "all", LOG)
    assert outcome.ending is Ending.PENDING
    assert outcome.why == "6 rows pending, 0 errors of 14 rows"
    assert outcome.figures is not None
    assert outcome.figures["ended"] == "pending"


def test_runs_that_do_not_go_together_cannot_be_joined(folder: Path) -> None:
    run = str(_shard(1).directory)
    outcome = merged([run, run], folder / "all", LOG)
    assert (outcome.ending, outcome.figures) == (Ending.INPUT, None)


@pytest.mark.parametrize("runs", [[3], 3, [{"ended": "input"}], [None]])
def test_what_names_no_run_is_told_of(
    folder: Path,
    runs: Any,  # noqa: ANN401 # whatever is given
) -> None:
    outcome = merged(runs, folder / "all", LOG)
    assert outcome.ending is Ending.INPUT
    assert outcome.why.startswith("runs names run directories, and ")


@pytest.mark.parametrize("directory", ["all", 20261126])
def test_a_directory_that_depends_on_where_a_worker_was_started_is_refused(
    directory: Any,  # noqa: ANN401 # whatever is given
) -> None:
    """A DAG that renders natively makes a number of `{{ ds_nodash }}`."""
    outcome = merged(str(_shard(1).directory), directory, LOG)
    assert (outcome.ending, outcome.figures) == (Ending.INPUT, None)
    assert f"directory is {directory}" in outcome.why.replace("'", "")


def test_what_is_there_already_is_told_of_in_words_that_a_dag_has(folder: Path) -> None:
    run = _shard(1).directory
    outcome = merged([str(run)], folder / _shard(2).directory, LOG)
    assert outcome.ending is Ending.CONFIGURATION
    assert outcome.why.endswith("or another directory with directory")
