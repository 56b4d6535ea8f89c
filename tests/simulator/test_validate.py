"""What may be asked: a body becomes an `Asked`, or is refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.simulator.codes import RefusedError
from batcher.simulator.validate import (
    Asked,
    Body,
    check_prompt,
    last_user_text,
    read_body,
    validate,
)

MakeBody = Callable[..., dict[str, Any]]
MakeAsked = Callable[..., Asked]

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {}}}


def refused(body: Body) -> tuple[str, str]:
    """Return code and detail of a refusal."""
    with pytest.raises(RefusedError) as raised:
        validate(body)
    return raised.value.code, raised.value.detail


def test_a_body_is_a_json_object() -> None:
    assert read_body(b'{"model":"m"}') == {"model": "m"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":Infinity}',
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"9" * 6000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(RefusedError) as raised:
        read_body(raw)
    assert raised.value.code == "1214"


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert read_body(b'{"a\\udfff":"\\ud800 \\u4f60"}') == {"a?": "? 你"}


@given(st.binary(max_size=30))
def test_bytes_of_any_kind_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(RefusedError):
        assert isinstance(read_body(raw), dict)


@pytest.mark.parametrize("name", ["model", "messages"])
@pytest.mark.parametrize("absent", [True, False])
def test_model_and_messages_must_be_there_and_not_null(
    make_body: MakeBody, name: str, *, absent: bool
) -> None:
    body = make_body(**{name: None})
    if absent:
        del body[name]
    assert refused(body) == ("1213", name)


@pytest.mark.parametrize(("model", "code"), [("gpt-4o", "1211"), ("glm-", "1211"), (7, "1214")])
def test_the_model_must_exist(make_body: MakeBody, model: object, code: str) -> None:
    assert refused(make_body(model=model))[0] == code


@pytest.mark.parametrize(
    ("messages", "detail"),
    [
        ([], "messages"),
        ("text", "messages"),
        (["text"], "messages[0]"),
        ([{"role": "user", "content": "a"}, {"role": "robot", "content": "b"}], "messages[1].role"),
        ([{"role": ["user"], "content": "a"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": []}], "messages[0].content"),
        ([{"role": "assistant", "content": None}], "messages[0].content"),
        ([{"role": "user", "content": None, "tool_calls": [{}]}], "messages[0].content"),
        ([{"role": "user", "content": ["text"]}], "messages[0].content.type"),
        ([{"role": "user", "content": [{"type": 1}]}], "messages[0].content.type"),
        ([{"role": "user", "content": [{"type": "poem", "poem": ""}]}], "messages[0].content.type"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content.type"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": "u"}]}],
            "messages[0].content.type",
        ),
        (
            [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": ""}}]}],
            "messages[0].content.type",
        ),
        ([{"role": "tool", "content": "a"}], "messages[0].tool_call_id"),
        (
            [{"role": "system", "content": "a"}, {"role": "assistant", "content": "b"}],
            "messages: only system and assistant",
        ),
    ],
)
def test_messages_of_another_shape_are_refused_with_their_place(
    make_body: MakeBody, messages: object, detail: str
) -> None:
    assert refused(make_body(messages=messages)) == ("1214", detail)


def test_all_roles_and_all_kinds_of_content_are_understood(make_asked: MakeAsked) -> None:
    asked = make_asked(
        model="glm-4.6v",
        messages=[
            {"role": "system", "content": "rules"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    {"type": "video_url", "video_url": {"url": "data:"}},
                    {"type": "file_url", "file_url": {"url": "data:"}},
                    {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
                    {"type": "text", "text": "closer"},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]},
            {"role": "tool", "tool_call_id": "c", "content": "seen"},
        ],
    )
    assert asked.subject == "look\ncloser"
    assert asked.instructions == "rules\nlook\ncloser\n\nseen"
    assert asked.prompt_tokens == 2 + 3 + 0 + 1 + 4 * 6 + 3 * 1000


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (None, ""),
        ([], ""),
        ([7, {"role": "system", "content": "a"}], ""),
        ([{"role": "user", "content": 7}], ""),
        ([{"role": "user", "content": ["a", {"type": "text", "text": 7}]}], ""),
        ([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}], "b"),
    ],
)
def test_the_last_user_text_is_found_in_whatever_was_sent(messages: object, text: str) -> None:
    assert last_user_text(messages) == text


@pytest.mark.parametrize(
    ("field", "values", "code"),
    [
        ("temperature", [-0.1, 1.1, "1", True], "1210"),
        ("top_p", [0, 1.1], "1210"),
        ("max_tokens", [0, 131_073, 1.5, True], "1210"),
        ("stop", ["a", ["a"] * 5, [1]], "1210"),
        ("stream", [1, "true"], "1214"),
        ("do_sample", [1], "1214"),
        ("tool_stream", [1], "1214"),
        ("request_id", ["short", "x" * 65, 123456], "1214"),
        ("user_id", ["short", "x" * 129], "1214"),
        ("thinking", ["enabled", {"type": "maybe"}, {"type": []}], "1210"),
        ("reasoning_effort", ["huge", 1], "1210"),
        ("response_format", ["json_object", {"type": "xml"}, {}], "1210"),
        ("tools", [{}, [TOOL] * 129], "1210"),
        ("tools", [["tool"], [{"type": "magic"}], [{"type": "function"}]], "1214"),
        ("tools", [[{"type": "function", "function": {"name": "a b"}}]], "1214"),
        ("tools", [[{"type": "function", "function": {"name": 7}}]], "1214"),
    ],
)
def test_values_out_of_range_are_refused(
    make_body: MakeBody, field: str, values: list[object], code: str
) -> None:
    for value in values:
        assert refused(make_body(**{field: value}))[0] == code


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("temperature", [0, 0.5, 1, None]),
        ("top_p", [0.01, 1]),
        ("max_tokens", [1, 131_072]),
        ("stop", [[], ["a"] * 4]),
        ("stream", [True, False, None]),
        ("request_id", ["x" * 6, "x" * 64]),
        ("user_id", ["x" * 6, "x" * 128]),
        ("response_format", [{"type": "text"}, {"type": "json_schema"}]),
        ("tools", [[], [TOOL] * 128, [{"type": "web_search", "web_search": {}}]]),
        ("seed", [1]),
    ],
)
def test_values_at_their_bounds_hold(
    make_asked: MakeAsked, field: str, values: list[object]
) -> None:
    for value in values:
        assert isinstance(make_asked(**{field: value}), Asked)


def test_the_tokens_of_an_answer_are_capped_by_the_model(make_asked: MakeAsked) -> None:
    assert make_asked(model="glm-4-plus").max_tokens == 4_095
    assert make_asked(model="glm-4-plus", max_tokens=100_000).max_tokens == 4_095
    assert make_asked(model="glm-4-plus", max_tokens=7).max_tokens == 7


def test_a_prompt_longer_than_the_context_is_refused(make_body: MakeBody) -> None:
    fits, too_long = "a" * 4 * (131_072 - 6), "a" * (4 * (131_072 - 6) + 1)
    assert validate(make_body(fits)).prompt_tokens == 131_072
    assert refused(make_body(too_long)) == ("1261", "131073 > 131072")


@pytest.mark.parametrize(
    ("model", "fields", "thinks"),
    [
        ("glm-4-flash", {}, False),
        ("glm-4-flash", {"thinking": {"type": "enabled"}}, False),
        ("glm-4.7", {}, True),
        ("glm-4.7", {"seed": 1}, True),
        ("glm-4.7", {"thinking": {}}, True),
        ("glm-4.7", {"thinking": {"type": "disabled"}}, False),
        ("glm-5.2", {"reasoning_effort": "none"}, False),
        ("glm-5.2", {"reasoning_effort": "none", "thinking": {"type": "enabled"}}, False),
        ("glm-5.3", {"reasoning_effort": "low"}, True),
    ],
)
def test_models_that_think_do_so_unless_told_not_to(
    make_asked: MakeAsked, model: str, fields: dict[str, object], *, thinks: bool
) -> None:
    assert make_asked(model=model, **fields).thinks == thinks


def test_the_newest_model_cannot_be_kept_from_thinking(make_body: MakeBody) -> None:
    for field, value in (("thinking", {"type": "disabled"}), ("reasoning_effort", "none")):
        assert refused(make_body(model="glm-5.3", **{field: value}))[0] == "1210"


def test_only_json_object_asks_for_json(make_asked: MakeAsked) -> None:
    formats = ("text", "json_object", "json_schema")
    wants = [make_asked(response_format={"type": kind}).wants_json for kind in formats]
    assert wants == [False, True, False]


def test_functions_are_taken_from_the_tools(make_asked: MakeAsked) -> None:
    asked = make_asked(tools=[{"type": "retrieval"}, TOOL])
    assert asked.functions == (TOOL["function"],)


def test_a_stream_is_given_only_where_asked_for(make_asked: MakeAsked) -> None:
    assert [make_asked(stream=value).stream for value in (True, False, None)] == [
        True,
        False,
        False,
    ]


def test_the_tokenizer_counts_a_prompt_whatever_else_is_wrong(make_body: MakeBody) -> None:
    assert check_prompt(make_body("abcd", temperature=7)) == 1 + 6
    with pytest.raises(RefusedError):
        check_prompt({"model": "glm-4-flash"})


SCHEMA = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}}


@pytest.mark.parametrize(
    ("response_format", "text", "found"),
    [
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, "", SCHEMA),
        ({"type": "json_schema"}, "", None),
        ({"type": "json_schema", "json_schema": {"schema": 7}}, "", None),
        (None, f"Label it.\n\nJSON Schema:\n{json.dumps(SCHEMA)}\n\nNothing else.", SCHEMA),
        (None, f"JSON Schema:\r\n{json.dumps(SCHEMA)}\r\n", SCHEMA),
        (None, f"JSON Schema: {json.dumps(SCHEMA)}", None),
        (None, "JSON Schema:\n{no json}", None),
    ],
)
def test_a_schema_is_taken_from_the_format_or_from_a_line_of_the_prompt(
    make_asked: MakeAsked, response_format: object, text: str, found: object
) -> None:
    messages = [{"role": "system", "content": text}, {"role": "user", "content": "x"}]
    assert make_asked(messages=messages, response_format=response_format).schema == found


def test_a_request_for_a_valid_answer_is_about_what_was_asked_first(make_asked: MakeAsked) -> None:
    messages = [
        {"role": "user", "content": "The phone is great"},
        {"role": "assistant", "content": "positive"},
        {"role": "user", "content": "This answer cannot be used: it is no JSON."},
    ]
    assert make_asked(messages=messages).subject == "The phone is great"
    assert make_asked(messages=messages[2:]).subject == ""


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Label it.\n<review>\nIt is bad.\n</review>\nLabel:", "It is bad."),
        ("<例子>好</例子><评论>差</评论>", "差"),
        ("<a></a>", "<a></a>"),
        ("1 < 2 and <b>", "1 < 2 and <b>"),
    ],
)
def test_what_stands_in_tags_is_what_is_asked_about(
    make_asked: MakeAsked, text: str, subject: str
) -> None:
    assert make_asked(text).subject == subject
