"""`jobs/airflow_daily_annotation.py`, as users copy it."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import CheckpointReader
from tests.airflow.conftest import Provider
from tests.airflow.instance import Airflow, until

DAG = "batcher_daily_annotation"
ROWS = 400
# The day that the runs are about, though it may end while they go on.
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Labelled:
    """A day that was labelled while its second shard was killed half-way.

    `recorded` are the rows of that shard that had their outcome by then.
    """

    folder: Path
    marker: str
    run: str
    recorded: frozenset[int]


@pytest.fixture(scope="module")
def labelled(
    airflow: Airflow, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Labelled:
    """Label a day, and kill its second shard half-way."""
    folder = tmp_path_factory.mktemp("day")
    marker = _day(folder)
    run = airflow.trigger(DAG, run_after=NOW, **_conf(folder))
    shard = folder / "runs" / f"{NOW:%Y-%m-%d}" / "shard-2"

    def second() -> list[int]:
        return [row for row in _rows(provider, marker) if 100 <= row < 200]

    until(lambda: len(second()) > 40, "calls of the second shard")
    os.kill(int(json.loads((shard / "run.json").read_text("utf-8"))["pid"]), signal.SIGKILL)
    with CheckpointReader.read(shard / "checkpoint.db") as checkpoint:
        done = checkpoint.done()
        recorded = frozenset(row for row in range(ROWS) if row in done)
    assert 0 < len(recorded) < 100
    assert airflow.ended(DAG, run) == "success"
    return Labelled(folder, marker, run, recorded)


def _day(folder: Path) -> str:
    """Write the day's file into the `inbox` of a folder, and return how the reviews in it begin.

    A run that cannot be told the day finds the one of the next day as well.
    """
    marker = folder.name
    rows = [{"id": f"r{n}", "review": f"{marker} {n}"} for n in range(ROWS)]
    inbox = folder / "inbox"
    inbox.mkdir()
    for day in (NOW, NOW + timedelta(days=1)):
        file = inbox / f"{day:%Y-%m-%d}.jsonl"
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return marker


def _conf(folder: Path, **more: object) -> dict[str, object]:
    return {"inbox": str(folder / "inbox"), "runs": str(folder / "runs"), **more}


def _states(airflow: Airflow, run: str) -> dict[str, str]:
    """Return the state of each task."""
    return {task["task_id"]: task["state"] for task in airflow.tasks(DAG, run)}


def _rows(provider: Provider, marker: str) -> list[int]:
    """Return the row of each call."""
    return [int(entry.prompt.split()[1]) for entry in provider.calls(marker)]


def test_the_dag_is_read_without_an_error_and_without_a_warning(airflow: Airflow) -> None:
    read = airflow.python(
        "import json, sys; from airflow.dag_processing.dagbag import DagBag; "
        "bag = DagBag(sys.argv[1]); "
        "print(json.dumps([list(bag.dags), bag.import_errors, bag.captured_warnings]))",
        str(airflow.dags / "airflow_daily_annotation.py"),
    )
    dags, errors, warned = json.loads(read.stdout.splitlines()[-1])
    assert (dags, errors) == ([DAG], {})
    # Airflow's own modules may warn of each other.
    ours = ("batcher", "jobs", str(airflow.dags))
    said = [line for lines in warned.values() for line in lines]
    assert [line for line in said if any(name in line.split(":")[0] for name in ours)] == []


def test_a_shard_that_is_killed_half_way_goes_on_and_no_recorded_row_is_called_twice(
    airflow: Airflow, provider: Provider, labelled: Labelled
) -> None:
    tasks = airflow.tasks(DAG, labelled.run)
    tries = [task["try_number"] for task in tasks if task["task_id"] == "label"]
    assert tries == [1, 2, 1, 1]
    names = [task["rendered_map_index"] for task in tasks if task["task_id"] == "label"]
    assert names == ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]
    rows = _rows(provider, labelled.marker)
    twice = {row for row in rows if rows.count(row) > 1}
    assert set(rows) == set(range(ROWS))
    assert not twice & labelled.recorded
    assert all(100 <= row < 200 for row in twice)
    (merge,) = [task for task in tasks if task["task_id"] == "merge"]
    figures = airflow.figures(merge)
    assert figures is not None
    assert (figures["results"], figures["pending"]) == (ROWS, 0)
    assert pq.read_metadata(figures["results_path"]).num_rows == ROWS
    assert airflow.links(merge) == {"Report": Path(figures["report"]).as_uri()}


def test_the_same_day_again_costs_nothing_and_labels_that_are_nearly_all_the_same_do_not_pass(
    airflow: Airflow, provider: Provider, labelled: Labelled
) -> None:
    before = len(_rows(provider, labelled.marker))
    run = airflow.trigger(DAG, run_after=NOW, **_conf(labelled.folder, max_label=0.1))
    assert airflow.ended(DAG, run) == "failed"
    assert len(_rows(provider, labelled.marker)) == before

    states = _states(airflow, run)
    assert states.pop("label") == states.pop("merge") == "skipped"
    assert states.pop("good_enough") == "failed"
    assert set(states.values()) == {"success"}
    (check,) = [task for task in airflow.tasks(DAG, run) if task["task_id"] == "good_enough"]
    assert check["try_number"] == 1
    said = json.dumps(airflow.log(check))
    assert "AirflowFailException" in said
    assert "of the labels are" in said


def test_a_late_row_and_a_corrected_one_are_called_alone_when_the_day_is_run_again(
    airflow: Airflow, provider: Provider, labelled: Labelled
) -> None:
    before = len(_rows(provider, labelled.marker))
    file = labelled.folder / "inbox" / f"{NOW:%Y-%m-%d}.jsonl"
    first, *others = file.read_text("utf-8").splitlines()
    late = json.dumps({"id": "late", "review": f"{labelled.marker} {ROWS} came late"})
    corrected = first.replace(f"{labelled.marker} 0", f"{labelled.marker} 0 corrected")
    file.write_text("\n".join([corrected, *others, late, ""]), "utf-8")

    run = airflow.trigger(DAG, run_after=NOW, **_conf(labelled.folder))
    assert airflow.ended(DAG, run) == "success"
    assert sorted(_rows(provider, labelled.marker)[before:]) == [0, ROWS]
    (complete,) = [task for task in airflow.tasks(DAG, run) if task["task_id"] == "complete"]
    figures = airflow.figures(complete)
    assert figures is not None
    assert (figures["results"], figures["errors"], figures["pending"]) == (ROWS + 1, 0, 0)
    (quoted,) = [task for task in airflow.tasks(DAG, run) if task["task_id"] == "affordable"]
    quote = airflow.figures(quoted)
    assert quote is not None
    assert (quote["rows"], quote["done"], quote["requests"]) == (ROWS + 1, ROWS - 1, 2)
    # Nor is anything called when it is run once more.
    again = airflow.trigger(DAG, run_after=NOW, **_conf(labelled.folder))
    assert airflow.ended(DAG, again) == "success"
    assert len(_rows(provider, labelled.marker)) == before + 2


def test_a_day_that_would_cost_too_much_is_refused_before_a_call_and_somebody_is_told(
    airflow: Airflow, provider: Provider, alerts: list[str], tmp_path: Path
) -> None:
    marker = _day(tmp_path)
    run = airflow.trigger(DAG, run_after=NOW, **_conf(tmp_path, max_cost=0.0001))
    assert airflow.ended(DAG, run) == "failed"
    (task,) = [one for one in airflow.tasks(DAG, run) if one["task_id"] == "affordable"]
    assert (task["state"], task["try_number"]) == ("failed", 1)
    assert _rows(provider, marker) == []
    assert alerts == [f"{DAG}, {run}: affordable failed (AirflowFailException)"]


def test_by_airflow_dags_test_a_day_goes_through_and_each_row_is_called_once(
    airflow: Airflow, provider: Provider, tmp_path: Path
) -> None:
    marker = _day(tmp_path)
    result = airflow.command("dags", "test", DAG, "--conf", json.dumps(_conf(tmp_path)))
    assert result.returncode == 0, result.stdout
    assert sorted(_rows(provider, marker)) == list(range(ROWS))
