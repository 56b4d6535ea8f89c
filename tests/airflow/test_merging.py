"""Shards joined by a task."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import batcher
from batcher.airflow.ending import Ending
from batcher.airflow.merging import merged
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


def _shard(number: int, **options: int) -> batcher.Result:
    return batcher.run(
        "prompts.jsonl",
        shard=(number, 2),
        output=f"shard-{number}",
        simulate=AT_ONCE,
        progress=False,
        max_rows=options.get("max_rows"),
    )


def test_what_mapped_tasks_return_is_joined(folder: Path) -> None:
    runs = [{"directory": str(_shard(number).directory)} for number in (1, 2)]
    outcome = merged(runs, folder / "all", LOG)
    assert outcome.ending is Ending.DONE
    assert outcome.figures is not None
    assert (outcome.figures["results"], outcome.figures["pending"]) == (20, 0)
    assert outcome.report_link(None) == (folder / "all" / "report.html").as_uri()


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
