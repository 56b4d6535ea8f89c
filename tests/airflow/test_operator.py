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
from airflow.sdk.exceptions import AirflowFailException
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


def test_paths_are_rendered_as_texts_are() -> None:
    operator = _rendered(
        BatcherOperator(
            task_id="label",
            input=[Path("{{ params.rows }}.jsonl")],
            job=Path("{{ params.model }}.toml"),
            directory=Path("/data/{{ params.model }}"),
            options={"api_key_file": Path("/keys/{{ params.model }}")},
        )
    )
    assert operator.input == ["3.jsonl"]
    assert (operator.job, operator.directory) == ("glm-5.toml", "/data/glm-5")
    assert operator.options == {"api_key_file": "/keys/glm-5"}


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
            directory=tmp_path / "{{ params.model }}",
            simulate=SimulatorConfig(latency_s=0),
        )
    )
    figures = operator.execute(cast("Context", {"ti": Instance()}))
    assert (figures["results"], figures["directory"]) == (5, str(tmp_path / "glm-5"))
    assert operator.report_link == (tmp_path / "glm-5" / "report.html").as_uri()


def test_a_dag_that_renders_natively_takes_what_looks_like_a_number_for_text_where_that_is_meant(
    tmp_path: Path,
) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"5": "a", "prompt": "a"}\n{"5": "b", "prompt": "b"}\n', "utf-8")
    with DAG(
        "native",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        render_template_as_native_obj=True,
    ):
        label = BatcherOperator(
            task_id="label",
            input=str(prompts),
            directory=f"{tmp_path}/{{{{ ds_nodash }}}}",
            shard="{{ params.shard }}",
            options={"id_column": "{{ params.ids }}", "max_cost": "{{ params.cost }}"},
            simulate=SimulatorConfig(latency_s=0),
        )
        misplaced = BatcherOperator(
            task_id="misplaced", input=str(prompts), directory="{{ ds_nodash }}", simulate=True
        )
        merge = MergeOperator(task_id="merge", runs=[str(tmp_path)], directory="{{ ds_nodash }}")
    given = {"ds_nodash": "20261126", "params": {"shard": [1, 2], "ids": 5, "cost": None}}
    context = cast("Context", {"ti": Instance(), **given})
    for operator in (label, misplaced, merge):
        operator.render_template_fields(context)
    assert misplaced.directory == 20261126
    figures = label.execute(context)
    assert (figures["results"], figures["directory"]) == (1, f"{tmp_path}/20261126")
    for operator in (misplaced, merge):
        with pytest.raises(AirflowFailException, match="directory is 20261126; name a whole path"):
            operator.execute(context)


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
