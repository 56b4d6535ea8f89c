"""Tasks as Airflow runs them: by a scheduler, each in a process of its own, killed and stopped."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import CheckpointReader
from tests.airflow.conftest import KEY, Provider
from tests.airflow.instance import Airflow, until

ROWS = 200
CALLS = 4
"""How many are in flight in each task."""
NAMES = ("killed", "stopped", "failed", "untouched")
"""What happens to the mapped tasks, each of which has a file of that name."""


@dataclass(frozen=True)
class Disturbed:
    """A run of mapped tasks, three of them disturbed; its calls begin with `marker`."""

    airflow: Airflow
    marker: str
    run: str

    def directory(self, name: str) -> Path:
        """Return where the run of a task lies."""
        place = f"dag_id=labels/run_id={self.run}/task_id=label/map_index={NAMES.index(name)}"
        return self.airflow.home / "batcher" / place

    def task(self, name: str) -> Any:  # noqa: ANN401 -- JSON
        """Return the instance of a task."""
        return self.airflow.tasks("labels", self.run)[NAMES.index(name)]

    def process(self, name: str) -> int:
        """Return the process of a task."""
        return int(json.loads((self.directory(name) / "run.json").read_text("utf-8"))["pid"])


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with files of prompts, which begin with the names of folder and file."""
    folder = tmp_path_factory.mktemp("prompts")
    for name in (*NAMES, "refused"):
        rows = [{"id": f"r{n}", "prompt": f"{folder.name} {name} {n}"} for n in range(ROWS)]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def disturbed(airflow: Airflow, provider: Provider, prompts: Path) -> Disturbed:
    """Disturb tasks of one run as soon as each of them is half-way, and wait for its end."""
    run = Disturbed(airflow, prompts.name, airflow.trigger("labels", folder=str(prompts)))
    left: dict[str, Callable[[], object]] = {
        "killed": lambda: os.kill(run.process("killed"), signal.SIGKILL),
        "stopped": lambda: os.kill(run.process("stopped"), signal.SIGTERM),
        "failed": lambda: airflow.mark(run.task("failed"), "failed"),
    }

    def all_are_disturbed() -> bool:
        for name in list(left):
            if len(provider.calls(f"{run.marker} {name}")) >= ROWS // 2:
                left[name]()
                del left[name]
        return not left

    until(all_are_disturbed, "half of the calls")
    assert airflow.ended("labels", run.run) == "failed"
    return run


def _recorded(directory: Path) -> int:
    with CheckpointReader.read(directory / "checkpoint.db") as checkpoint:
        return checkpoint.counts().rows


def _texts(log: list[dict[str, Any]]) -> list[str]:
    return [str(line.get("event")) for line in log]


def test_a_mapped_task_that_is_killed_half_way_goes_on_when_it_is_retried(
    airflow: Airflow, provider: Provider, disturbed: Disturbed
) -> None:
    killed, other = disturbed.task("killed"), disturbed.task("untouched")
    assert (killed["state"], other["state"]) == ("success", "success")
    assert (killed["try_number"], other["try_number"]) == (2, 1)
    names = [task["rendered_map_index"] for task in (killed, other)]
    assert names == ["killed.jsonl", "untouched.jsonl"]
    for task in (killed, other):
        figures = airflow.figures(task)
        assert figures is not None
        assert (figures["ended"], figures["results"], figures["pending"]) == ("done", ROWS, 0)
        assert airflow.links(task) == {"Report": Path(figures["report"]).as_uri()}
    # A call whose answer had not come when the process was killed is made again, and no other.
    assert provider.twice(f"{disturbed.marker} killed") <= CALLS
    assert provider.twice(f"{disturbed.marker} untouched") == 0


def test_a_task_that_is_told_to_end_records_what_is_in_flight_and_calls_no_row_twice(
    airflow: Airflow, provider: Provider, disturbed: Disturbed
) -> None:
    stopped = disturbed.task("stopped")
    assert (stopped["state"], stopped["try_number"]) == ("success", 2)
    texts = _texts(airflow.log(stopped))
    assert any(text.startswith("SIGTERM: waiting at most 20 s") for text in texts)
    assert "Stopped by SIGTERM; the same task goes on where it stopped." in texts
    assert not any("second signal" in text for text in texts)
    assert len(provider.calls(f"{disturbed.marker} stopped")) == ROWS
    assert provider.twice(f"{disturbed.marker} stopped") == 0


def test_a_task_that_a_user_marks_as_failed_records_what_is_in_flight_and_writes_its_results(
    provider: Provider, disturbed: Disturbed
) -> None:
    failed, directory = disturbed.task("failed"), disturbed.directory("failed")
    assert (failed["state"], failed["try_number"]) == ("failed", 1)
    until((directory / "results.parquet").exists, "the results")
    assert _recorded(directory) == len(provider.calls(f"{disturbed.marker} failed"))


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
    assert [path for path in written if secret in _content(path)] == []


def _content(path: Path) -> bytes:
    """Return what is in a file, nothing where Airflow has removed it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
