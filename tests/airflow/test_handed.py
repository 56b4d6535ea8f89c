"""What a real Airflow hands to a task: rows, paths, rendered values, and its time limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.conftest import Provider
from tests.airflow.instance import Airflow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with files of prompts, which begin with the names of folder and file."""
    folder = tmp_path_factory.mktemp("handed")
    for name, rows in (("one", 4), ("two", 4), ("many", 200)):
        lines = [{"id": f"{name}-{n}", "prompt": f"{folder.name} {name} {n}"} for n in range(rows)]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def tasks(airflow: Airflow, folder: Path) -> dict[str, Any]:
    """Run a DAG whose tasks hand rows and paths to each other; return the tasks that took them."""
    run = airflow.trigger("handed", folder=str(folder))
    assert airflow.ended("handed", run) == "failed"
    return {task["task_id"]: task for task in airflow.tasks("handed", run)}


def _texts(airflow: Airflow, task: dict[str, Any]) -> list[str]:
    return [str(line.get("event")) for line in airflow.log(task)]


def test_a_gate_counts_the_rows_that_a_task_returned_and_a_run_calls_them(
    airflow: Airflow, provider: Provider, folder: Path, tasks: dict[str, Any]
) -> None:
    assert tasks["affordable"]["state"] == "failed"
    said = json.dumps(airflow.log(tasks["affordable"]))
    assert "more than max_tokens_total allows (1 tokens)" in said
    assert tasks["label_rows"]["state"] == "success"
    assert len(provider.calls(f"{folder.name} rows")) == 3


def test_paths_that_mapped_tasks_returned_are_an_input_without_a_line_of_an_error(
    airflow: Airflow, provider: Provider, folder: Path, tasks: dict[str, Any]
) -> None:
    label = tasks["label_files"]
    assert label["state"] == "success"
    assert [line for line in airflow.log(label) if line.get("level") in ("error", "warning")] == []
    assert len(provider.calls(f"{folder.name} one")) == 4
    assert len(provider.calls(f"{folder.name} two")) == 4


def test_a_time_limit_ends_a_run_in_order_and_by_its_own_name(
    airflow: Airflow, provider: Provider, folder: Path
) -> None:
    run = airflow.trigger("timed", folder=str(folder))
    assert airflow.ended("timed", run) == "failed"
    (task,) = airflow.tasks("timed", run)
    figures = airflow.figures(task)
    assert figures is not None
    assert (figures["ended"], figures["pending"] > 0) == ("stopped", True)
    assert figures["results"] == len(provider.calls(f"{folder.name} many")) > 0
    # What a template made of None names no directory, nor a ceiling.
    assert figures["directory"].startswith(f"{airflow.home}/batcher/dag_id=timed/")
    end = "Stopped by the time limit of the task; the same task goes on where it stopped."
    assert end in _texts(airflow, task)


def test_a_dag_may_render_natively(airflow: Airflow, folder: Path) -> None:
    run = airflow.trigger("native", folder=str(folder))
    assert airflow.ended("native", run) == "success"
    (task,) = airflow.tasks("native", run)
    figures = airflow.figures(task)
    assert figures is not None
    assert (figures["results"], figures["directory"]) == (2, f"{folder}/2")
