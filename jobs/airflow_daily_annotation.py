"""Label each day's reviews: wait for the file, refuse what costs too much, label, merge, check.

Copy it into your dags/ folder, and set what is asked for here:

- the connection `batcher_glm`: its password is the API key (docs/airflow.md);
- the connection `batcher_alerts`, if somebody is to be told of failures: its password is the
  address of a webhook that takes {"text": "..."}, as those of Slack do;
- the parameters below: change their defaults here, or give others when you trigger a run;
- if a provider's limits are shared with other DAGs, a pool `batcher` with a slot for each task that
  may call at once (`airflow pools set batcher 4 "calls of models"`), and `pool="batcher"` below.

Whatever happens, run it again: a day has one directory for each shard, and one where they are
merged, so that a row that has its answer is never called again, by no retry, no cleared task, and
no second run of the same day. Of a file that got late rows, or was delivered again with others, a
second run calls what is new. (Where that happens before the day is merged, the shards say so, for
they are of the file as it was: `batcher merge .../shard-* -o .../all` by hand, and run it again.)
"""

from __future__ import annotations

import json
import logging
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from airflow.sdk import DAG, Connection, Context, ObjectStoragePath, Param, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from batcher.airflow import BatcherOperator, MergeOperator, estimate

SHARDS = 4
CURRENCY = "CNY"
LABELS = ["positive", "negative", "neutral"]

# The day that a run is about: the one that is given, else that when it was due, or started by hand.
DAY = "{{ params.day or dag_run.run_after | ds }}"
INPUT = "{{ params.inbox }}/" + DAY + ".jsonl"
RUNS = "{{ params.runs }}/" + DAY
ALL = RUNS + "/all"

# As a job file has it; `{{review}}` is a column of the input, which Airflow leaves alone.
JOB: dict[str, Any] = {
    "provider": {"model": "glm-4.5-air"},
    "prompt": {
        "system_template": "You label reviews of restaurants and products.",
        "template": "{{review}}",
    },
    # An answer has room in so many tokens; with it, what the run costs at most is known before.
    "parameters": {"temperature": 0, "max_tokens": 64},
    "output": {"fields": {"label": LABELS}, "allow_errors": "2%"},
}

PARAMS = {
    "day": Param(None, type=["null", "string"], format="date", description="Another day."),
    "inbox": Param("/data/reviews", type="string", description="Where the day's file arrives."),
    "runs": Param(
        "/data/labelled",
        type="string",
        description="Where the days' directories are: a disk that all workers share.",
    ),
    "max_cost": Param(20, type="number", description=f"What a day may cost, in {CURRENCY}."),
    "max_errors": Param(0.01, type="number", description="The share of rows that may be errors."),
    "max_label": Param(
        0.9, type="number", description="The share that one label may have: more is a sign of harm."
    ),
}


def tell(context: Context) -> None:
    """Tell the webhook of `batcher_alerts`, if there is one, which task of which run failed."""
    ti = context["ti"]
    text = f"{ti.dag_id}, {ti.run_id}: {ti.task_id} failed ({type(context['exception']).__name__})"
    try:
        address = Connection.get("batcher_alerts").password
    except AirflowNotFoundException:
        logging.getLogger(__name__).warning("no connection batcher_alerts: nobody is told")
        return
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(  # noqa: S310 # an address that an administrator wrote
        address, body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 # the same
        pass


with DAG(
    "batcher_daily_annotation",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(hours=1),
        "on_failure_callback": tell,
    },
) as dag:

    @task.sensor(poke_interval=300, timeout=20 * 3600, mode="reschedule")
    def arrived(path: str) -> bool:
        """Wait for the day's file; between two looks no worker is held.

        A path on object storage (s3://bucket/reviews) is looked for with the extra of its provider.
        Whoever writes the file writes it under another name first, and renames it when it is whole.
        """
        return ObjectStoragePath(path).exists()

    @task
    def affordable(path: str, whole: str, max_cost: str) -> dict[str, Any]:
        """Count the tokens, without a paid call; more than a day may cost is refused here.

        What the day has in its directory `whole` is done; what that cost counts.
        """
        return estimate(path, job=JOB, directory=whole, conn_id="batcher_glm", max_cost=max_cost)

    @task.branch
    def first_time(whole: str) -> str:
        """Label in shards, or go on in the directory where those of the day are merged already.

        A shard is a part of the file as it was; one directory takes up whatever the file becomes.
        """
        return "complete" if Path(whole, "checkpoint.db").exists() else "label"

    # Each shard is a quarter of the rows, and may cost a quarter of what the day may.
    label = BatcherOperator.partial(
        task_id="label",
        input=INPUT,
        job=JOB,
        directory=RUNS + "/shard-{{ ti.map_index + 1 }}",
        options={"max_cost": f"{{{{ params.max_cost / {SHARDS} }}}}{CURRENCY}"},
        conn_id="batcher_glm",
        map_index_template="{{ task.shard[0] }} of {{ task.shard[1] }}",
    ).expand(shard=[(number, SHARDS) for number in range(1, SHARDS + 1)])

    merge = MergeOperator(task_id="merge", runs=label.output, directory=ALL)

    # Calls nothing after a merge; else what is new in the file, and what was corrected: `yes` sets
    # an answer aside whose row is no more. Both count against what the day may cost.
    complete = BatcherOperator(
        task_id="complete",
        input=INPUT,
        job=JOB,
        directory=ALL,
        options={"max_cost": "{{ params.max_cost }}" + CURRENCY, "yes": True},
        conn_id="batcher_glm",
        trigger_rule="none_failed",
    )

    @task(retries=0)
    def good_enough(whole: dict[str, Any], max_errors: float, max_label: float) -> dict[str, float]:
        """Let no labels through that cannot be right: too many errors, or nearly all the same."""
        rows = whole["results"] + whole["errors"]
        if whole["errors"] > float(max_errors) * rows:
            raise AirflowFailException(
                f"{whole['errors']} of {rows} rows are errors: {whole['error_classes']}; see "
                f"{whole['errors_path']}, then `batcher retry {whole['directory']}`"
            )
        labels = pq.read_table(whole["results_path"], columns=["out.label"]).column(0)
        shares = {
            name: pc.sum(pc.equal(labels, name)).as_py() / len(labels) if len(labels) else 0.0
            for name in LABELS
        }
        most = max(shares, key=shares.__getitem__)
        if shares[most] > float(max_label):
            raise AirflowFailException(f"{shares[most]:.0%} of the labels are {most!r}: {shares}")
        return shares

    afford = affordable(INPUT, ALL, "{{ params.max_cost }}" + CURRENCY)
    arrived(INPUT) >> afford >> first_time(ALL) >> [label, complete]
    merge >> complete
    good_enough(complete.output, "{{ params.max_errors }}", "{{ params.max_label }}")
