"""Rows and paths that tasks hand on, a time limit, and a DAG that renders natively."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, task

from batcher.airflow import BatcherOperator, estimate, run

START = datetime(2026, 1, 1, tzinfo=UTC)
PARAMS = {"folder": "", "limit": 2, "rows": None}

JOB = {
    "provider": {"model": "glm-4.5-air"},
    "prompt": {"template": "{{prompt}}"},
    "parameters": {"max_tokens": "{{ params.limit }}"},
    "limits": {"concurrency": "{{ params.limit }}"},
    "ceilings": {"max_rows": "{{ params.rows }}"},
}

with DAG("handed", schedule=None, start_date=START, params=PARAMS) as handed:

    @task
    def rows(folder: str) -> list[dict[str, str]]:
        """Return rows whose prompts begin with the name of the folder."""
        marker = folder.rpartition("/")[2]
        return [{"id": str(n), "prompt": f"{marker} rows {n}"} for n in range(3)]

    @task
    def affordable(rows: list[dict[str, str]]) -> dict[str, Any]:
        """Let no run through that needs more than a token."""
        return estimate(rows, model="glm-4.5-air", conn_id="glm", max_tokens_total=1)

    @task
    def label_rows(rows: list[dict[str, str]]) -> dict[str, Any]:
        """Call the rows."""
        return dict(run(rows, model="glm-4.5-air", conn_id="glm"))

    @task
    def path(name: str, folder: str) -> str:
        """Return the path of a file."""
        return f"{folder}/{name}.jsonl"

    made: Any = rows("{{ params.folder }}")
    affordable(made)
    label_rows(made)
    paths = path.partial(folder="{{ params.folder }}").expand(name=["one", "two"])
    BatcherOperator(task_id="label_files", input=paths, job=JOB, conn_id="glm")

with DAG("timed", schedule=None, start_date=START, params=PARAMS) as timed:
    BatcherOperator(
        task_id="label",
        input="{{ params.folder }}/many.jsonl",
        job={**JOB, "parameters": {}},
        conn_id="glm",
        directory="{{ params.rows }}",
        execution_timeout=timedelta(seconds=4),
    )

with DAG(
    "native", schedule=None, start_date=START, params=PARAMS, render_template_as_native_obj=True
) as native:
    BatcherOperator(
        task_id="label",
        input=["{{ params.folder }}/one.jsonl"],
        job=JOB,
        directory="{{ params.folder }}/{{ params.limit }}",
        shard="{{ [1, params.limit] }}",
        conn_id="glm",
    )
