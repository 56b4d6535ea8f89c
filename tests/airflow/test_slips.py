"""Slips that are found when the DAG is read."""

from __future__ import annotations

from typing import Any

import pytest

from batcher.airflow import BatcherOperator
from batcher.airflow.slips import refuse_slips
from batcher.errors import UsageError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lmit": 3}, "options: .*'lmit'; did you mean 'limit'"),
        ({"temperature": 0}, "options: .*'temperature'; what goes to the model goes into param"),
        ({"progress": False}, "options: a task shows no progress"),
        ({"simulate": True}, "options: simulate is an argument of the operator itself"),
        ({"shard": (5, 4)}, "no shard 5 of 4"),
    ],
)
def test_what_no_option_is_called_breaks_the_dag(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        BatcherOperator(task_id="label", input="a.jsonl", options=options)


@pytest.mark.parametrize("shard", [(5, 4), "5/4", "1-4", 3, ("1", "four"), [1, 2, 3]])
def test_what_is_no_shard_breaks_the_dag(shard: Any) -> None:  # noqa: ANN401 # whatever is given
    with pytest.raises(UsageError, match="shard"):
        BatcherOperator(task_id="label", input="a.jsonl", shard=shard)


def test_a_key_is_refused_without_being_shown() -> None:
    with pytest.raises(UsageError, match="name a connection with conn_id") as caught:
        refuse_slips({"api_key": "a.secret"}, None)
    assert "a.secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "shard"),
    [
        (None, None),
        ({"max_rows": "{{ params.rows }}", "yes": True, "output": "a"}, ("{{ 1 + 1 }}", "4")),
        ({"shard": "{{ params.shard }}"}, None),
        ({}, "2/4"),
        # What Airflow resolves: the output of another task.
        (object(), object()),
        ({}, (object(), 4)),
    ],
)
def test_what_is_known_only_when_the_task_runs_is_let_through(
    options: Any,  # noqa: ANN401 # whatever is given
    shard: Any,  # noqa: ANN401
) -> None:
    refuse_slips(options, shard)
