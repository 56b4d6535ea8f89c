"""What the tests of a real Airflow run; files and options come as the parameters of a DAG run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from batcher.airflow import BatcherOperator

# Every test starts runs by itself, and says what they are about.
PARAMS = {"folder": "", "latency": 0}

JOB = {
    "provider": {"model": "glm-4.5-air"},
    "prompt": {"template": "{{prompt}}"},
    "limits": {"concurrency": 4},
}

with DAG(
    "labels", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), params=PARAMS
) as labels:
    label = BatcherOperator.partial(
        task_id="label",
        job=JOB,
        conn_id="glm",
        retries=1,
        retry_delay=timedelta(seconds=1),
        map_index_template="{{ task.input.rsplit('/', 1)[1] }}",
    ).expand(
        input=[
            "{{ params.folder }}/" + name + ".jsonl"
            for name in ("killed", "stopped", "failed", "untouched")
        ]
    )

with DAG(
    "refused", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), params=PARAMS
) as refused:
    BatcherOperator(
        task_id="label",
        input="{{ params.folder }}/refused.jsonl",
        job=JOB,
        conn_id="no_such_key",
        retries=3,
        retry_delay=timedelta(seconds=1),
    )
