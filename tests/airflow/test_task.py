"""A run in the process of a task, without a scheduler."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow.sdk.execution_time.context import set_current_context

from batcher.airflow import estimate, run
from batcher.airflow.ending import USUAL, Ending, consequences
from batcher.airflow.instance import lasting_directory
from batcher.airflow.outcome import Outcome
from batcher.airflow.task import Task
from batcher.airflow.task_log import TaskLog
from batcher.api.options import Options
from batcher.simulator import SimulatorConfig
from tests.airflow.told import Instance

AT_ONCE = SimulatorConfig(latency_s=0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder that is Airflow's home, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return tmp_path


def _task(simulate: SimulatorConfig = AT_ONCE, rows: int = 20, **options: Any) -> Task:  # noqa: ANN401 # options
    text = "".join(f'{{"id": "r{n}", "prompt": "Say {n}"}}\n' for n in range(rows))
    Path("prompts.jsonl").write_text(text, "utf-8")
    given = {"model": "glm-4.5-air", "report": False, **options}
    if "output" in given:
        given["output"] = str(Path(given["output"]).absolute())
    return Task("prompts.jsonl", None, cast("Options", given), None, simulate)


def test_what_a_task_returns_is_small_and_plain(folder: Path) -> None:
    instance = Instance()
    outcome = _task().carried_out(instance)
    figures = outcome.followed(instance, USUAL)
    directory = (
        folder / "batcher/dag_id=daily/run_id=manual__2026-01-01T00:00:00+00:00/task_id=label"
    )
    assert json.loads(json.dumps(figures)) == figures
    assert (figures["ended"], figures["results"], figures["pending"]) == ("done", 20, 0)
    assert figures["directory"] == str(directory)
    assert Path(figures["results_path"]).exists()
    assert figures["cost"] is not None
    assert instance.pushed == {}


def test_another_try_goes_on_in_the_same_directory() -> None:
    first = _task(max_rows=5).carried_out(Instance())
    assert first.ending is Ending.CEILING
    second = _task().carried_out(Instance())
    assert second.figures is not None
    assert (second.figures["results"], second.figures["attempts"]) == (20, 20)


def test_a_try_on_a_worker_that_has_nothing_of_the_first_goes_on_with_its_copy(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    there = (folder / "copy").as_uri()
    first = _task(max_rows=5, sync_checkpoint=there).carried_out(Instance())
    assert first.figures is not None
    shutil.rmtree(first.figures["directory"])
    caplog.set_level(logging.INFO)
    second = _task(sync_checkpoint=there).carried_out(Instance(try_number=2))
    assert second.figures is not None
    assert (second.figures["results"], second.figures["attempts"]) == (20, 20)
    (said,) = _warned(caplog)
    assert said.startswith("Going on with copy")


def test_a_try_that_comes_too_soon_after_a_kill_elsewhere_is_retried_and_calls_nothing(
    folder: Path,
) -> None:
    there = folder / "copy"
    first = _task(max_rows=5, sync_checkpoint=there.as_uri()).carried_out(Instance())
    assert first.figures is not None
    shutil.rmtree(first.figures["directory"])
    latest = json.loads((there / "latest.json").read_bytes())
    killed = {"host": "pod-1", "boot": "far", "at_work": True, "seen": time.time()}
    (there / "latest.json").write_text(json.dumps(latest | {"writer": latest["writer"] | killed}))
    instance, again = Instance(try_number=2), _task(sync_checkpoint=there.as_uri())
    early = again.carried_out(instance)
    assert (early.ending, early.figures) == (Ending.PENDING, None)
    assert " on pod-1, " in early.why
    with pytest.raises(AirflowException, match=r"again in 1[78]\d s") as retried:
        early.followed(instance, USUAL)
    assert not isinstance(retried.value, AirflowFailException)
    killed["seen"] = time.time() - 180
    (there / "latest.json").write_text(json.dumps(latest | {"writer": latest["writer"] | killed}))
    late = again.carried_out(Instance(try_number=3))
    assert late.figures is not None
    assert (late.figures["results"], late.figures["attempts"]) == (20, 20)


def test_a_try_that_finds_nothing_of_the_first_and_has_no_copy_says_that_it_begins_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = _task(max_rows=5).carried_out(Instance())
    assert first.figures is not None
    _task(max_rows=1).carried_out(Instance(try_number=2))
    assert _warned(caplog) == []
    shutil.rmtree(first.figures["directory"])
    second = _task().carried_out(Instance(try_number=3))
    (said,) = _warned(caplog)
    assert said.startswith(f"This is try 3, and {first.figures['directory']} holds no run.")
    assert second.figures is not None
    assert second.figures["attempts"] == 20


def _warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_a_ceiling_fails_the_task_which_tells_how_far_it_came() -> None:
    instance = Instance()
    outcome = _task(max_rows=5).carried_out(instance)
    with pytest.raises(AirflowFailException, match=r"Stopped after 5 rows \(max_rows\)"):
        outcome.followed(instance, USUAL)
    assert instance.pushed["return_value"]["results"] == 5
    assert instance.pushed["return_value"]["ended"] == "ceiling"
    assert outcome.followed(instance, consequences({"ceiling": "succeed"}))["pending"] == 15


def test_more_errors_than_allowed_fail_the_task_and_fewer_do_not() -> None:
    always = SimulatorConfig(latency_s=0, faults={"1301": 1})
    outcome = _task(always, allow_errors=19).carried_out(Instance())
    assert outcome.ending is Ending.ROW_ERRORS
    assert outcome.why == "20 of 20 rows ended in errors, too many"
    allowed = _task(always, allow_errors=20).carried_out(Instance())
    assert allowed.ending is Ending.DONE


def test_a_provider_that_stops_the_run_is_not_quoted() -> None:
    refused = SimulatorConfig(latency_s=0, faults={"1113": 1})
    outcome = _task(refused).carried_out(Instance())
    assert outcome.ending is Ending.CREDENTIALS
    assert outcome.why.startswith("The run stopped (balance). The account is out of balance")


def test_an_input_without_rows_is_told_of_as_such() -> None:
    outcome = _task(rows=0).carried_out(Instance())
    assert outcome.ending is Ending.EMPTY


@pytest.mark.parametrize(
    ("options", "ending", "said"),
    [
        ({"lmit": 3}, Ending.INPUT, "did you mean 'limit'"),
        ({"concurrency": 0}, Ending.CONFIGURATION, "concurrency"),
    ],
)
def test_what_cannot_run_is_told_of_before_any_call(
    options: dict[str, Any], ending: Ending, said: str
) -> None:
    outcome = _task(**options).carried_out(Instance())
    assert outcome.ending is ending
    assert said in outcome.why
    assert outcome.figures is None


def test_code_of_a_task_names_the_directory_as_the_operator_does(folder: Path) -> None:
    _task()
    labels = folder / "labels"
    with set_current_context(cast("Context", {"ti": Instance()})):
        figures = run("prompts.jsonl", directory=labels, model="glm-4.5-air", simulate=AT_ONCE)
        quote = estimate("prompts.jsonl", directory=labels, model="glm-4.5-air", simulate=AT_ONCE)
    assert (figures["directory"], (labels / "run.json").exists()) == (str(labels), True)
    assert (quote["rows"], quote["done"]) == (20, 20)


@pytest.mark.parametrize("call", [run, estimate])
def test_a_key_in_the_code_of_a_task_is_refused_with_the_way_to_give_it(call: Any) -> None:  # noqa: ANN401 # either
    _task()
    with (
        set_current_context(cast("Context", {"ti": Instance()})),
        pytest.raises(AirflowFailException, match="name a connection with conn_id") as caught,
    ):
        call("prompts.jsonl", model="glm-4.5-air", simulate=AT_ONCE, api_key="a.secret")
    assert "a.secret" not in str(caught.value)


def test_two_names_for_one_directory_are_refused() -> None:
    outcome = replace(_task(output="a"), directory="/b").carried_out(Instance())
    assert (outcome.ending, outcome.figures) == (Ending.INPUT, None)
    assert "directory and output both name the run directory" in outcome.why


@pytest.mark.parametrize("directory", ["labels", "None/2026-11-26", 20261126])
def test_a_directory_that_depends_on_where_a_worker_was_started_is_refused(
    folder: Path,
    directory: Any,  # noqa: ANN401 # whatever is given
) -> None:
    outcome = replace(_task(), directory=directory).carried_out(Instance())
    assert (outcome.ending, outcome.figures) == (Ending.INPUT, None)
    assert f"directory is {directory!r}; name a whole path" in outcome.why
    assert [path.name for path in folder.iterdir()] == ["prompts.jsonl"]


def test_a_directory_at_a_url_is_told_of_as_such() -> None:
    outcome = replace(_task(), directory="s3://labels/today").carried_out(Instance())
    assert outcome.ending is Ending.INPUT
    assert "a checkpoint needs a disk" in outcome.why


def test_the_word_none_that_a_template_left_is_none(folder: Path) -> None:
    task = replace(_task(max_cost="None"), job="None", conn_id="None", directory="None")
    outcome = task.carried_out(Instance())
    assert outcome.figures is not None
    assert outcome.figures["directory"] == str(lasting_directory(Instance()))
    assert not (folder / "None").exists()
    nothing = replace(_task(), input="None").carried_out(Instance())
    assert (nothing.ending, "no input" in nothing.why) == (Ending.INPUT, True)


def test_a_changed_input_is_told_of_in_words_that_a_dag_has() -> None:
    assert _task(output="a").carried_out(Instance()).ending is Ending.DONE
    outcome = _task(rows=19, output="a").carried_out(Instance())
    assert outcome.ending is Ending.CONFIGURATION
    assert 'Nothing was called. Give options={"yes": True}' in outcome.why
    assert _task(rows=19, output="a", yes="True").carried_out(Instance()).ending is Ending.DONE


def test_another_directory_is_named_as_a_dag_names_it() -> None:
    _task(output="a").carried_out(Instance())
    outcome = _task(output="a", shard=(1, 2)).carried_out(Instance())
    assert outcome.ending is Ending.CONFIGURATION
    assert "or name another directory with directory." in outcome.why


def test_a_connection_that_is_not_there_is_told_of_before_any_call() -> None:
    task = replace(_task(), conn_id="nowhere", simulate=False)
    outcome = task.carried_out(Instance())
    assert outcome.ending is Ending.CREDENTIALS
    assert "there is no connection nowhere; `airflow connections add" in outcome.why


def test_a_connection_of_the_environment_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GLM", '{"conn_type": "generic", "password": "no key"}')
    outcome = replace(_task(auth="jwt"), conn_id="glm", simulate=False).carried_out(Instance())
    assert outcome.ending is Ending.CREDENTIALS
    assert "no key" not in outcome.why


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({}, "https://api.z.ai/api/paas/v4"),
        ({"base_url": "https://job.example/v1"}, "https://job.example/v1"),
    ],
)
def test_the_key_of_a_connection_goes_to_no_address_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], address: str
) -> None:
    """Which goes with the key that is there, as .env does."""
    connection = {"conn_type": "generic", "password": "a.key", "extra": {"provider": "zai"}}
    monkeypatch.setenv("AIRFLOW_CONN_ZAI", json.dumps(connection))
    monkeypatch.setenv("ZAI_BASE_URL", "https://env.example/v1")
    monkeypatch.setenv("ZAI_API_KEY", "another.key")
    log = TaskLog(logging.getLogger("batcher"))
    task = replace(_task(**options), conn_id="zai", simulate=False)
    assert task.ready(Instance(), log).callee.provider.base_url == address
    own = replace(_task(provider="zai"), simulate=False)
    assert own.ready(Instance(), log).callee.provider.base_url == "https://env.example/v1"


@contextmanager
def _handled(number: signal.Signals, handler: Any) -> Iterator[None]:  # noqa: ANN401 # as signal's
    """Let a signal be handled so, as Airflow's runner of tasks sets it up."""
    before = signal.signal(number, handler)
    try:
        yield
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)


def _sent_when_calls_are_made(number: signal.Signals, ledger: Path, times: int = 1) -> None:
    """Send a signal to this process once the simulator has been asked something."""

    def send() -> None:
        while not (ledger.exists() and ledger.read_bytes()):
            threading.Event().wait(0.01)
        for _ in range(times):
            os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()


SLOW = SimulatorConfig(latency_s=0.2)


def test_sigterm_lets_calls_in_flight_end_and_then_calls_on_kill_as_before(folder: Path) -> None:
    killed: list[int] = []
    instance = Instance()
    _sent_when_calls_are_made(signal.SIGTERM, folder / "a.batch/simulator.jsonl", times=2)
    with _handled(signal.SIGTERM, lambda number, _frame: killed.append(number)):
        outcome = _task(SLOW, rows=500, concurrency=2, output="a.batch").carried_out(instance)
    assert killed == [signal.SIGTERM]
    assert outcome.ending is Ending.STOPPED
    assert outcome.figures is not None
    assert outcome.figures["results"] == outcome.figures["attempts"] > 0
    assert Path(outcome.figures["results_path"]).exists()
    with pytest.raises(AirflowException, match="Stopped by SIGTERM"):
        outcome.followed(instance, USUAL)


def test_ctrl_c_lets_calls_in_flight_end_where_it_would_end_the_process(folder: Path) -> None:
    _sent_when_calls_are_made(signal.SIGINT, folder / "a.batch/simulator.jsonl")
    with _handled(signal.SIGINT, signal.SIG_DFL):
        outcome = _task(SLOW, rows=500, concurrency=2, output="a.batch").carried_out(Instance())
    assert outcome.ending is Ending.STOPPED
    assert outcome.figures is not None
    assert outcome.figures["results"] == outcome.figures["attempts"] > 0


def test_airflows_time_limit_lets_calls_in_flight_end_and_then_goes_on(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def time_is_up(_number: int, _frame: FrameType | None) -> None:
        raise AirflowTaskTimeout

    instance = Instance()
    _sent_when_calls_are_made(signal.SIGALRM, folder / "a.batch/simulator.jsonl")
    with _handled(signal.SIGALRM, time_is_up), pytest.raises(AirflowTaskTimeout):
        _task(SLOW, rows=500, concurrency=2, output="a.batch").carried_out(instance)
    figures = instance.pushed["return_value"]
    assert figures["results"] == figures["attempts"] > 0
    (waiting,) = [text for text in caplog.messages if "waiting at most" in text]
    assert waiting.startswith("The time limit of the task: waiting at most 20 s for the ")
    assert waiting.endswith(" in flight")
    end = "Stopped by the time limit of the task; the same task goes on where it stopped."
    assert end in caplog.messages


def test_the_directory_of_a_task_is_its_own_whatever_its_run_is_called(folder: Path) -> None:
    one = lasting_directory(Instance(run_id="../a/b", map_index=3))
    assert one == folder / "batcher/dag_id=daily/run_id=..%2Fa%2Fb/task_id=label/map_index=3"


def test_the_report_is_linked_where_it_is_served() -> None:
    figures = _task(report=True).carried_out(Instance()).figures
    assert figures is not None
    outcome = Outcome(Ending.DONE, "", figures)
    assert outcome.report_link(None) == Path(str(figures["report"])).as_uri()
    assert outcome.report_link("https://reports.example/1") == "https://reports.example/1"
    elsewhere = Outcome(Ending.DONE, "", {**figures, "to": "s3://labels/today/"})
    assert elsewhere.report_link(None) == "s3://labels/today/report.html"
    assert Outcome(Ending.INPUT, "").report_link("https://reports.example/1") == ""


def test_what_a_run_ends_with_is_put_at_its_url(folder: Path) -> None:
    figures = _task(to=(folder / "there").as_uri()).carried_out(Instance()).figures
    assert figures is not None
    assert figures["to"] == (folder / "there").as_uri()
    assert (folder / "there" / "results.parquet").exists()


def test_a_shard_tells_of_its_own_folder_below_its_url(folder: Path) -> None:
    task = _task(to=(folder / "there").as_uri(), shard=(1, 4), report=True)
    figures = task.carried_out(Instance()).figures
    assert figures is not None
    assert figures["to"] == (folder / "there" / "1-of-4").as_uri()
    assert (folder / "there" / "1-of-4" / "results.parquet").exists()
