"""A real Airflow: its database, scheduler, DAG processor and API server, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

from tests.commands import variables

Value = TypeVar("Value")

AIRFLOW = Path(sys.executable).with_name("airflow")
# Airflow is slow to begin, and the machine may be busy.
PATIENCE_S = 300.0


def until(found: Callable[[], Value | None], what: str) -> Value:
    """Return what is found, as soon as it is something."""
    end = time.monotonic() + PATIENCE_S
    while not (value := found()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.1)
    return value


def settings(home: Path, dags: Path, port: int, **more: str) -> dict[str, str]:
    """Return the environment of an Airflow in `home`, with no setting of the machine in it."""
    address = f"http://127.0.0.1:{port}"
    return {
        **variables(),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # It finds out soon that the task is to end.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        **more,
    }


@dataclass
class Airflow:
    """An Airflow that runs; its REST API is what its pages are made from."""

    home: Path
    dags: Path
    environment: Mapping[str, str]
    address: str
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _token: str = ""

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `airflow ARGS...` to its end."""
        return self._ran(str(AIRFLOW), *args)

    def python(self, script: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a script of Python beside it to its end."""
        return self._ran(sys.executable, "-c", script, *args)

    def start(self) -> None:
        """Start it, and wait until it answers and has read its DAGs."""
        assert self.command("db", "migrate").returncode == 0
        for component in ("api-server", "dag-processor", "scheduler"):
            self._begin(component)
        # Runs are started through it, so that no task begins before it answers.
        until(self._signed_in, "the API server")

    def stop(self) -> None:
        """End all of its processes, tasks among them, at once: nobody needs it any more."""
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def trigger(self, dag: str, *, run_after: datetime | None = None, **conf: object) -> str:
        """Start a run of a DAG as soon as that has been read; return its id.

        It is due at `run_after`, or now.
        """
        due: dict[str, object] = {}
        if run_after is not None:
            # Airflow would name all runs of one moment alike.
            due = {"run_after": run_after.isoformat(), "dag_run_id": f"due__{uuid.uuid4().hex}"}

        def started() -> str | None:
            body = {"logical_date": None, "conf": conf, **due}
            try:
                return cast("str", self.call("POST", f"dags/{dag}/dagRuns", body)["dag_run_id"])
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                raise

        return until(started, f"the DAG {dag}")

    def run(self, dag: str, run: str) -> Any:  # noqa: ANN401 -- JSON
        """Return what a run of a DAG is like."""
        return self.call("GET", f"dags/{dag}/dagRuns/{quote(run)}")

    def ended(self, dag: str, run: str) -> str:
        """Wait for the end of a run, and return its state."""

        def state() -> str | None:
            found = cast("str", self.run(dag, run)["state"])
            return found if found in ("success", "failed") else None

        return until(state, f"the end of {dag}")

    def tasks(self, dag: str, run: str) -> list[Any]:
        """Return the task instances of a run, by their index."""
        found = self.call("GET", f"dags/{dag}/dagRuns/{quote(run)}/taskInstances")
        return sorted(found["task_instances"], key=lambda one: cast("int", one["map_index"]))

    def figures(self, task: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what a task pushed, None where it did not."""
        where = f"{_place(task, mapped=False)}/xcomEntries/return_value"
        try:
            found = self.call("GET", f"{where}?map_index={task['map_index']}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return cast("dict[str, Any]", found["value"])

    def links(self, task: Mapping[str, Any]) -> dict[str, str | None]:
        """Return the links of a task, as its page shows them."""
        where = f"{_place(task, mapped=False)}/links?map_index={task['map_index']}"
        return cast("dict[str, str | None]", self.call("GET", where)["extra_links"])

    def log(self, task: Mapping[str, Any], attempt: int = 1) -> list[dict[str, Any]]:
        """Return the lines of a task's log, as its page shows them."""
        where = f"{_place(task, mapped=False)}/logs/{attempt}?map_index={task['map_index']}"
        return cast("list[dict[str, Any]]", self.call("GET", where)["content"])

    def mark(self, task: Mapping[str, Any], state: str) -> None:
        """Give a task a state, as a user does on its page."""
        self.call("PATCH", _place(task, mapped=True), {"new_state": state})

    def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 -- JSON
        """Call the REST API; again where it is too busy for now, as its database may be."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(  # noqa: S310 -- on loopback
            path if "://" in path else f"{self.address}/api/v2/{path}",
            None if body is None else json.dumps(body).encode(),
            headers,
            method=method,
        )

        def answered() -> list[Any] | None:
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 -- the same
                    return [json.load(answer)]
            except urllib.error.HTTPError as error:
                if error.code >= 500:
                    return None
                raise

        (answer,) = until(answered, f"{method} {path}")
        return answer

    def _ran(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 -- the environment's own commands
            args,
            env=dict(self.environment),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def _begin(self, component: str) -> None:
        with (self.home / f"{component}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 -- the environment's own command
                (AIRFLOW, component),
                env=dict(self.environment),
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)

    def _signed_in(self) -> bool:
        try:
            self._token = self.call("GET", f"{self.address}/auth/token")["access_token"]
        except OSError:
            return False
        return True


def _place(task: Mapping[str, Any], *, mapped: bool) -> str:
    index = f"/{task['map_index']}" if mapped and task["map_index"] >= 0 else ""
    run = quote(task["dag_run_id"])
    return f"dags/{task['dag_id']}/dagRuns/{run}/taskInstances/{task['task_id']}{index}"


def simulator(folder: Path, latency: float) -> Iterator[tuple[str, Path]]:
    """Serve a simulated GLM in a process of its own; yield its address and its ledger."""
    ledger = folder / "ledger.jsonl"
    with subprocess.Popen(  # noqa: S603 -- our own command
        (
            *(sys.executable, "-m", "batcher", "simulate", "--port", "0"),
            *("--sim-latency", str(latency), "--ledger", str(ledger)),
        ),
        env=dict(variables()),
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout is not None
        yield service.stdout.readline().split()[0], ledger
        service.terminate()
