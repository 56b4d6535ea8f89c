"""Bounds of a call's tokens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.providers.tokens import estimate_tokens
from batcher.providers.worst_tokens import (
    PER_MESSAGE,
    Model,
    has_tools_of_others,
    most_output,
    most_prompt,
)

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
UNKNOWN = Model()


def _body(content: object, **rest: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": content}], **rest}


def _most(content: object, **rest: object) -> int | None:
    return most_prompt(_body(content, **rest), UNKNOWN)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_a_prompt_has_no_more_tokens_than_bytes_and_some_for_its_frame(a: str, b: str) -> None:
    most = _most([{"type": "text", "text": a}, {"type": "text", "text": b}])
    assert most is not None
    assert most >= len(a.encode()) + len(b.encode()) + PER_MESSAGE
    assert most >= estimate_tokens(_body(a + b))


def test_each_character_is_worth_its_bytes() -> None:
    short, long = _most("好" * 10), _most("好" * 11)
    assert short is not None
    assert long == short + 3


@pytest.mark.parametrize(
    "extra",
    [{"tools": [FUNCTION]}, {"response_format": {"type": "json_schema", "schema": FUNCTION}}],
)
def test_tools_and_schemas_count_as_if_written_with_escapes(extra: dict[str, object]) -> None:
    bare, with_extra = _most("hi"), _most("hi", **extra)
    assert bare is not None
    assert with_extra is not None
    assert with_extra - bare >= len(json.dumps(extra, indent=2))


def test_calls_in_a_message_without_content_count() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "x" * 1000}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    most = most_prompt({"model": "m", "messages": [message]}, UNKNOWN)
    assert most is not None
    assert most > 1000


@pytest.mark.parametrize(
    "extra",
    [
        {"content": [{"type": "text", "text": "see"}, IMAGE]},
        {"content": "hi", "tools": [FUNCTION, {"type": "web_search"}]},
        {"content": "hi", "tools": "unheard of"},
        {"content": "hi", "messages": "none"},
    ],
)
def test_what_is_no_text_of_the_user_s_is_bounded_by_the_context_alone(
    extra: dict[str, object],
) -> None:
    body = _body(**extra)
    assert most_prompt(body, Model(context=1000)) == 1000
    assert most_prompt(body, UNKNOWN) is None


def test_no_prompt_has_more_tokens_than_the_context() -> None:
    assert most_prompt(_body("x" * 10_000), Model(context=1000)) == 1000
    assert most_prompt(_body("x"), Model(context=100_000)) == _most("x")


@pytest.mark.parametrize(
    ("parameters", "most"),
    [
        ({}, 300),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8}, 8),
        ({"max_tokens": 7, "max_completion_tokens": 8}, 8),
        ({"max_tokens": 1000}, 1000),
        *(({"max_tokens": garbage}, 300) for garbage in (None, 0, -1, 7.0, "7", True)),
    ],
)
def test_an_answer_is_bounded_by_the_request_else_by_the_model(
    parameters: dict[str, object], most: int
) -> None:
    assert most_output(_body("hi", **parameters), Model(context=900, max_output=300)) == most


def test_an_answer_of_a_model_without_a_bound_is_bounded_by_its_context_if_known() -> None:
    assert most_output(_body("hi"), Model(context=900)) == 900
    assert most_output(_body("hi"), UNKNOWN) is None


@pytest.mark.parametrize(
    ("tools", "others"),
    [
        (None, False),
        ([], False),
        ([FUNCTION], False),
        ([FUNCTION, {"type": "web_search"}], True),
        (["f"], True),
        ("f", True),
    ],
)
def test_only_functions_are_tools_of_the_user(tools: object, *, others: bool) -> None:
    assert has_tools_of_others(_body("hi", tools=tools)) is others
