"""Requests that ask for a value of a schema."""

from __future__ import annotations

from typing import Any

import pytest

from batcher.errors import ErrorClass, RowError
from batcher.job import JobSpec, OutputSpec, ProviderSpec
from batcher.records import Prompt, Source
from batcher.render import Renderer
from batcher.render.formatting import formatted
from batcher.structured import AnswerFormat

JSON_OBJECT = {"type": "json_object"}
TOLD = AnswerFormat(JSON_OBJECT, "Answer in JSON.")
SHOWN = AnswerFormat({"type": "json_schema", "json_schema": {}}, "Answer in JSON.", shown=True)
USER = {"role": "user", "content": "Good?"}


def _body(*messages: Any, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 -- of any kind
    return {"model": "m", "messages": list(messages), **parameters}


def test_instructions_make_a_system_message_where_there_is_none() -> None:
    body = formatted(_body(USER), TOLD)
    assert body["messages"] == [{"role": "system", "content": "Answer in JSON."}, USER]
    assert body["response_format"] == JSON_OBJECT


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_end_the_first_system_message(role: str) -> None:
    first, second = {"role": role, "content": "Be brief."}, {"role": "system", "content": "Now."}
    messages = formatted(_body(first, second, USER), TOLD)["messages"]
    assert messages == [
        {"role": role, "content": "Be brief.\n\nAnswer in JSON."},
        second,
        USER,
    ]
    assert first["content"] == "Be brief."


def test_instructions_are_one_more_part_of_a_system_message_of_parts() -> None:
    part = {"type": "text", "text": "Be brief."}
    messages = formatted(_body({"role": "system", "content": [part]}, USER), TOLD)["messages"]
    assert messages[0]["content"] == [part, {"type": "text", "text": "Answer in JSON."}]


def test_an_empty_system_message_stays_as_it_is() -> None:
    empty = {"role": "system", "content": ""}
    messages = formatted(_body(empty, USER), TOLD)["messages"]
    assert messages == [{"role": "system", "content": "Answer in JSON."}, empty, USER]


def test_where_no_format_is_taken_the_model_is_only_told() -> None:
    body = formatted(_body(USER), AnswerFormat(None, "Answer in JSON."))
    assert body["messages"] == [{"role": "system", "content": "Answer in JSON."}, USER]
    assert "response_format" not in body


def test_a_schema_that_the_provider_shows_is_not_told_again() -> None:
    body = formatted(_body(USER), SHOWN)
    assert (body["messages"], body["response_format"]) == ([USER], SHOWN.response_format)


@pytest.mark.parametrize("answer_format", [TOLD, SHOWN])
def test_a_response_format_of_the_jobs_own_wins_and_the_schema_is_told(
    answer_format: AnswerFormat,
) -> None:
    body = formatted(_body(USER, response_format={"type": "text"}), answer_format)
    assert body["response_format"] == {"type": "text"}
    assert body["messages"][0]["content"] == "Answer in JSON."


def test_a_batch_line_is_asked_the_same_and_its_own_format_wins() -> None:
    render = Renderer(JobSpec(provider=ProviderSpec(model="m")), answer_format=TOLD)

    def asked(**body: Any) -> dict[str, Any]:  # noqa: ANN401 -- of any kind
        columns = {"custom_id": "a", "body": {"messages": [USER], **body}}
        return dict(render(Prompt(0, "a", columns, Source("f", 1))).body)

    assert asked()["response_format"] == JSON_OBJECT
    assert asked(response_format={"type": "text"})["response_format"] == {"type": "text"}
    assert asked()["messages"][0]["content"] == "Answer in JSON."


def test_a_batch_line_with_tools_is_an_error_of_its_row() -> None:
    with pytest.raises(RowError) as error:
        formatted(_body(USER, tools=[{"type": "function"}]), TOLD)
    assert error.value.problem.error_class is ErrorClass.INVALID_ROW


@pytest.mark.parametrize("format_", ["json_schema", "json_object"])
@pytest.mark.parametrize("own", [{}, {"response_format": {"type": "json_schema"}}])
def test_another_schema_makes_another_key(format_: str, own: dict[str, Any]) -> None:
    def key(label: str) -> str:
        schema = {"type": format_, "json_schema": {"schema": label}}
        shown = format_ == "json_schema"
        answer_format = AnswerFormat(schema, f"By the schema {label}.", shown=shown)
        job = JobSpec(provider=ProviderSpec(model="m"), parameters=own, output=OutputSpec())
        render = Renderer(job, answer_format=answer_format)
        return render(Prompt(0, "a", {"prompt": "Good?"}, Source("f", 1))).key

    assert key("one") != key("two")
