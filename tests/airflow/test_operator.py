"""Operators as a DAG has them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import jinja2
import pytest
from airflow.sdk import DAG, Context
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.serialization.serialized_objects import DagSerialization

from batcher.airflow import BatcherOperator, MergeOperator
from batcher.errors import UsageError
from batcher.simulator import SimulatorConfig
from tests.airflow.told import Instance

JOB = {"provider": {"model": "{{ params.model }}"}, "prompt": {"template": "{{review}}"}}


def _rendered(operator: BatcherOperator, **context: Any) -> BatcherOperator:  # noqa: ANN401 # templates take all
    operator.render_template_fields(
        cast("Context", {"params": {"model": "glm-5", "rows": 3}, **context}),
        jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False),  # noqa: S701 # no page
    )
    return operator


def test_fields_are_rendered_but_for_templates_of_prompts() -> None:
    operator = _rendered(
        BatcherOperator(
            task_id="label",
            input="{{ params.rows }}.jsonl",
            job=JOB,
            options={"max_rows": "{{ params.rows }}", "system_template": "{{column}}"},
        )
    )
    assert operator.input == "3.jsonl"
    assert operator.job == {
        "provider": {"model": "glm-5"},
        "prompt": {"template": "{{review}}"},
    }
    assert operator.options == {"max_rows": "3", "system_template": "{{column}}"}


def test_a_shard_and_a_directory_may_be_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f'{{"prompt": "Say {n}"}}\n' for n in range(20))
    Path("prompts.jsonl").write_text(rows, "utf-8")
    operator = _rendered(
        BatcherOperator(
            task_id="label",
            input="prompts.jsonl",
            shard=("{{ 1 + 1 }}", "4"),
            directory="{{ params.model }}",
            simulate=SimulatorConfig(latency_s=0),
        )
    )
    figures = operator.execute(cast("Context", {"ti": Instance()}))
    assert (figures["results"], figures["directory"]) == (5, "glm-5")
    # A directory that is no whole path has a link as well.
    assert operator.report_link == (tmp_path / "glm-5" / "report.html").as_uri()


def test_a_dag_of_mapped_shards_is_written_and_read_again() -> None:
    with DAG("shards", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        label = BatcherOperator.partial(task_id="label", input="a.jsonl", job=JOB).expand(
            shard=[(1, 2), (2, 2)]
        )
        MergeOperator(task_id="merge", runs=label.output)
    assert isinstance(label, MappedOperator)
    written = json.dumps(DagSerialization.to_dict(dag))
    read = DagSerialization.from_dict(json.loads(written))
    assert read.get_task("merge").upstream_task_ids == {"label"}
    assert read.get_task("label").extra_links == ["Report"]


@pytest.mark.parametrize("operator", [BatcherOperator, MergeOperator])
def test_a_slip_in_what_follows_breaks_the_dag_when_it_is_read(
    operator: type[Any],
) -> None:
    more: dict[str, Any] = {"runs": []} if operator is MergeOperator else {}
    with pytest.raises(UsageError, match="no ending 'emty'"):
        operator(task_id="label", on={"emty": "skip"}, **more)
