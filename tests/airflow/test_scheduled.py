"""Tasks as Airflow runs them: by a scheduler, each in a process of its own, killed and stopped."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from batcher.checkpoint import CheckpointReader
from tests.airflow.conftest import KEY, Provider
from tests.airflow.instance import Airflow, until

ROWS = 60
CALLS = 4
"""How many are in flight in each task."""


def _directory(airflow: Airflow, run: str, index: int) -> Path:
    place = f"dag_id=labels/run_id={run}/task_id=label/map_index={index}"
    return airflow.home / "batcher" / place


def _process(directory: Path, provider: Provider, marker: str) -> int:
    """Wait until a task is half-way, and return the id of its process."""
    until(lambda: len(provider.calls(marker)) >= ROWS // 2, "half of the calls")
    return int(json.loads((directory / "run.json").read_text("utf-8"))["pid"])


def _recorded(directory: Path) -> int:
    with CheckpointReader.read(directory / "checkpoint.db") as checkpoint:
        return checkpoint.counts().rows


def _texts(log: list[dict[str, Any]]) -> list[str]:
    return [str(line.get("event")) for line in log]


def test_a_mapped_task_that_is_killed_half_way_goes_on_when_it_is_retried(
    airflow: Airflow, provider: Provider, prompts: Path
) -> None:
    marker = prompts.name
    run = airflow.trigger("labels", folder=str(prompts))
    process = _process(_directory(airflow, run, 0), provider, f"{marker} a")
    os.kill(process, signal.SIGKILL)

    assert airflow.ended("labels", run) == "success"
    killed, other = airflow.tasks("labels", run)
    assert (killed["try_number"], other["try_number"]) == (2, 1)
    assert [task["rendered_map_index"] for task in (killed, other)] == ["a.jsonl", "b.jsonl"]
    for task in (killed, other):
        figures = airflow.figures(task)
        assert figures is not None
        assert (figures["ended"], figures["results"], figures["pending"]) == ("done", ROWS, 0)
        assert airflow.links(task) == {"Report": Path(figures["report"]).as_uri()}
    # A call whose answer had not come when the process was killed is made again, and no other.
    assert provider.twice(f"{marker} a") <= CALLS
    assert provider.twice(f"{marker} b") == 0


def test_a_task_that_is_told_to_end_records_what_is_in_flight_and_calls_no_row_twice(
    airflow: Airflow, provider: Provider, prompts: Path
) -> None:
    marker = prompts.name
    run = airflow.trigger("labels", folder=str(prompts))
    directory = _directory(airflow, run, 0)
    os.kill(_process(directory, provider, f"{marker} a"), signal.SIGTERM)

    assert airflow.ended("labels", run) == "success"
    stopped, _ = airflow.tasks("labels", run)
    assert stopped["try_number"] == 2
    texts = _texts(airflow.log(stopped))
    assert any(text.startswith("SIGTERM: waiting at most 20 s") for text in texts)
    assert "Stopped by SIGTERM; the same command goes on where it stopped." in texts
    assert provider.twice(marker) == 0


def test_a_task_that_a_user_marks_as_failed_records_what_is_in_flight_and_writes_its_results(
    airflow: Airflow, provider: Provider, prompts: Path
) -> None:
    marker = prompts.name
    run = airflow.trigger("labels", folder=str(prompts))
    directory = _directory(airflow, run, 0)
    _process(directory, provider, f"{marker} a")
    airflow.mark(airflow.tasks("labels", run)[0], "failed")

    assert airflow.ended("labels", run) == "failed"
    until((directory / "results.parquet").exists, "the results")
    assert _recorded(directory) == len(provider.calls(f"{marker} a"))


def test_a_key_that_the_provider_refuses_fails_a_task_that_is_not_retried(
    airflow: Airflow, prompts: Path
) -> None:
    run = airflow.trigger("refused", folder=str(prompts))

    assert airflow.ended("refused", run) == "failed"
    (task,) = airflow.tasks("refused", run)
    assert task["try_number"] == 1


def test_no_file_of_airflow_holds_the_key(airflow: Airflow) -> None:
    # Last: what the other tests left is searched.
    written = [path for path in airflow.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in written)
    secret = KEY.split(".")[1].encode()
    assert [path for path in written if secret in path.read_bytes()] == []
