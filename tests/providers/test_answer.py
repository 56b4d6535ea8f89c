"""Whole answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.providers.answer import completion, decode_body
from batcher.providers.envelope import Envelope
from batcher.records import Completion, Usage

NOW = datetime(2026, 8, 25, tzinfo=UTC)
# How a whole answer is told from one that was cut.
COUNTED = {"content-length": "1"}

# The sample of protocol.md section 2.
SAMPLE = """{"id":"8668","request_id":"r-1","created":1735000000,"model":"glm-5.1",
 "choices":[{"index":0,"finish_reason":"tool_calls",
   "message":{"role":"assistant","content":"好的","reasoning_content":"想一想",
     "tool_calls":[{"id":"call_x","type":"function",
       "function":{"name":"f","arguments":"{\\"城市\\":\\"北京\\"}"}}]}}],
 "usage":{"prompt_tokens":8,"completion_tokens":239,"total_tokens":247,
   "prompt_tokens_details":{"cached_tokens":3},
   "completion_tokens_details":{"reasoning_tokens":5}},
 "web_search":[{"icon":"","title":"","link":""}],
 "content_filter":[{"role":"assistant","level":3}]}"""


def _decode(
    body: object,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    allow_empty: bool = False,
) -> Completion:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_body(
        content, Envelope(status, COUNTED | (headers or {}), NOW), allow_empty=allow_empty
    )


def _problem(body: object, *, status: int = 200, allow_empty: bool = False) -> Problem:
    with pytest.raises(ProviderError) as raised:
        _decode(body, status=status, allow_empty=allow_empty)
    return raised.value.problem


def _answer(
    message: object = None, reason: object = "stop", **rest: object
) -> dict[str, list[dict[str, Any]] | object]:
    message = {"content": "hi"} if message is None else message
    return {"choices": [{"finish_reason": reason, "message": message}], **rest}


def test_the_documented_answer_is_read_whole() -> None:
    assert _decode(SAMPLE.encode()) == Completion(
        text="好的",
        reasoning="想一想",
        tool_calls=(
            '[{"id":"call_x","type":"function",'
            '"function":{"name":"f","arguments":"{\\"城市\\":\\"北京\\"}"}}]'
        ),
        finish_reason="tool_calls",
        model="glm-5.1",
        usage=Usage(8, 239, 3, 5),
        request_id="r-1",
    )


def test_an_answer_with_nothing_but_text_is_enough() -> None:
    assert _decode(_answer()) == Completion("hi", None, None, "stop", "", Usage(), None)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "text", "text": "a"}, {"type": "image"}, "stray", None], "a"),
        ("\n", "\n"),
        ("half a pair \ud83d", "half a pair \ud83d"),
    ],
)
def test_text_is_a_string_or_a_list_of_parts(content: object, text: str) -> None:
    assert _decode(_answer({"content": content})).text == text


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"reasoning_content": "a"}, "a"),
        ({"reasoning": "b"}, "b"),
        ({"reasoning_content": "a", "reasoning": "b"}, "a"),
        ({"reasoning_content": None, "reasoning": "b"}, "b"),
        ({"reasoning_content": ""}, None),
        ({"reasoning": {"summary": "b"}}, None),
    ],
)
def test_reasoning_has_two_names(fields: dict[str, object], reasoning: str | None) -> None:
    assert _decode(_answer({"content": "hi", **fields})).reasoning == reasoning


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "function_call", "length", "eos"])
def test_other_reasons_are_successes_and_kept(reason: str) -> None:
    assert _decode(_answer(reason=reason)).finish_reason == reason


@pytest.mark.parametrize("reason", [None, "", 5, ["stop"]])
def test_without_a_reason_a_whole_text_is_a_success_of_unknown_reason(reason: object) -> None:
    assert _decode(_answer(reason=reason)).finish_reason == "unknown"


@pytest.mark.parametrize("message", [{"content": "some text"}, {"content": ""}, {}, 5])
@pytest.mark.parametrize("allow_empty", [False, True])
@pytest.mark.parametrize(
    ("reason", "error_class"),
    [
        ("sensitive", ErrorClass.CONTENT_FILTERED),
        ("content_filter", ErrorClass.CONTENT_FILTERED),
        ("network_error", ErrorClass.INFERENCE_FAILED),
        ("insufficient_system_resource", ErrorClass.INFERENCE_FAILED),
        ("abort", ErrorClass.INFERENCE_FAILED),
        ("model_context_window_exceeded", ErrorClass.PROMPT_TOO_LONG),
    ],
)
def test_a_reason_that_is_no_success_is_an_error_whatever_the_message_holds(
    *, message: object, allow_empty: bool, reason: str, error_class: ErrorClass
) -> None:
    problem = _problem(_answer(message, reason), allow_empty=allow_empty)
    assert problem.error_class is error_class
    assert problem.message.endswith(f"(finish_reason {reason})")
    assert problem.http_status == 200


EMPTY_MESSAGES = [
    {"content": ""},
    {"content": None},
    {"content": []},
    {"content": 5},
    {},
    {"content": "", "reasoning_content": "thought"},
    {"content": None, "tool_calls": []},
    {"content": None, "tool_calls": None, "function_call": None},
]


@pytest.mark.parametrize("message", EMPTY_MESSAGES)
@pytest.mark.parametrize("reason", ["stop", "tool_calls", None])
def test_no_text_and_no_tool_call_is_no_success_unless_allowed(
    message: object, reason: str | None
) -> None:
    assert _problem(_answer(message, reason)).error_class is ErrorClass.EMPTY_COMPLETION
    allowed = _decode(_answer(message, reason), allow_empty=True)
    assert (allowed.text, allowed.tool_calls) == (None, None)


@pytest.mark.parametrize("message", EMPTY_MESSAGES)
def test_an_answer_cut_before_its_first_word_is_a_success_of_reason_length(message: object) -> None:
    decoded = _decode(_answer(message, "length"))
    assert (decoded.text, decoded.finish_reason) == (None, "length")


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALL_TEXT = '{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}'


@pytest.mark.parametrize(
    ("fields", "tool_calls"),
    [
        ({"tool_calls": [CALL]}, f"[{CALL_TEXT}]"),
        (
            {"tool_calls": [{"index": 0, **CALL}, {"index": 1, **CALL}]},
            f"[{CALL_TEXT},{CALL_TEXT}]",
        ),
        ({"tool_calls": [CALL, "stray"]}, f"[{CALL_TEXT}]"),
        (
            {"function_call": {"name": "f", "arguments": "{}"}},
            '[{"type":"function","function":{"name":"f","arguments":"{}"}}]',
        ),
        ({"tool_calls": [{"a": "\ud800é"}]}, '[{"a":"\\ud800\\u00e9"}]'),
        ({"tool_calls": [{"a": "é"}]}, '[{"a":"é"}]'),
    ],
)
def test_tool_calls_are_kept_as_json_that_utf_8_can_write(
    fields: dict[str, object], tool_calls: str
) -> None:
    decoded = _decode(_answer({"content": None, **fields}, "tool_calls"))
    assert decoded.tool_calls == tool_calls
    assert json.loads(tool_calls.encode())


@pytest.mark.parametrize("depth", [1, 100, 990, 1000, 100_000])
def test_nesting_of_any_depth_is_read_or_malformed(depth: int) -> None:
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    body = b'{"choices":[{"message":{"tool_calls":[%b]}}]}' % nested
    try:
        decoded = _decode(body)
    except ProviderError as error:
        assert error.problem.error_class is ErrorClass.MALFORMED_ANSWER  # noqa: PT017
        assert depth > 100
    else:
        assert decoded.tool_calls == f"[{nested.decode()}]"


def test_tool_calls_that_could_be_read_but_not_written_are_malformed() -> None:
    """How deep either may go is the interpreter's business."""
    nested: dict[str, Any] = {}
    for _ in range(100_000):
        nested = {"a": nested}
    with pytest.raises(ProviderError, match="nested too deeply") as raised:
        completion(_answer({"tool_calls": [nested]}), Envelope(200, {}, NOW), allow_empty=False)
    assert raised.value.problem.error_class is ErrorClass.MALFORMED_ANSWER


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ([], Usage()),
        ({}, Usage()),
        ({"prompt_tokens": 0, "completion_tokens": 7}, Usage(0, 7)),
        ({"prompt_tokens": -1, "completion_tokens": 1.5}, Usage()),
        ({"prompt_tokens": True, "completion_tokens": "7"}, Usage()),
        ({"prompt_tokens": 2**63, "completion_tokens": 2**63 - 1}, Usage(None, 2**63 - 1)),
        ({"prompt_cache_hit_tokens": 4}, Usage(cached_tokens=4)),
        (
            {"prompt_cache_hit_tokens": 4, "prompt_tokens_details": {"cached_tokens": 0}},
            Usage(cached_tokens=0),
        ),
        ({"prompt_tokens_details": None, "completion_tokens_details": 5}, Usage()),
        ({"completion_tokens_details": {"reasoning_tokens": 9}}, Usage(reasoning_tokens=9)),
    ],
)
def test_usage_is_what_was_counted_and_garbage_is_not(usage: object, expected: Usage) -> None:
    assert _decode(_answer(usage=usage)).usage == expected


@pytest.mark.parametrize(
    ("headers", "ids", "request_id"),
    [
        ({"x-request-id": "h"}, {"request_id": "r", "id": "i"}, "h"),
        ({}, {"request_id": "r", "id": "i"}, "r"),
        ({}, {"request_id": None, "id": "i"}, "i"),
        ({}, {"id": 7}, None),
    ],
)
def test_the_request_id_is_the_providers_own(
    headers: dict[str, str], ids: dict[str, object], request_id: str | None
) -> None:
    assert _decode(_answer(**ids), headers=headers).request_id == request_id


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"<html>hello</html>", b"\xff\xfe", b"{", b"NaN", b"null", b"[]", b'"hi"'),
        *({}, {"choices": None}, {"choices": []}, {"choices": {}}, {"choices": ["hi"]}),
        *({"choices": [{"finish_reason": "stop"}]}, {"choices": [{"message": None}]}),
        *(_answer("hi"), _answer([]), {"choices": [{"message": {"content": "hi"}}], "error": [1]}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("allow_empty", [False, True])
def test_what_is_no_chat_completion_is_malformed(*, body: object, allow_empty: bool) -> None:
    problem = _problem(body, allow_empty=allow_empty)
    assert problem.error_class is ErrorClass.MALFORMED_ANSWER
    assert problem.message.startswith("no chat completion: ")


def test_a_malformed_answer_is_shown_by_its_start() -> None:
    assert "<html>hello" in _problem(b"<html>hello</html>").message
    assert "an empty body" in _problem(b"").message


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "1305", "message": "busy"}},
        {"error": {"code": 1305, "message": "busy"}, "choices": []},
        _answer(error={"code": "1305", "message": "busy"}),
        {"code": 1305, "message": "busy"},
        {"code": "1305", "msg": "busy", "success": False, "choices": None},
    ],
    ids=repr,
)
def test_an_error_object_under_http_200_is_that_error(body: object) -> None:
    assert _problem(body) == Problem(ErrorClass.OVERLOADED, "busy", "1305", 200)


def test_a_null_error_beside_an_answer_is_none() -> None:
    assert _decode(_answer(error=None)).text == "hi"


def test_a_completion_under_a_status_of_failure_is_a_failure() -> None:
    assert _problem(_answer(), status=500).error_class is ErrorClass.SERVER_ERROR


def test_of_several_choices_the_first_is_read() -> None:
    two = [{"finish_reason": "stop", "message": {"content": text}} for text in "ab"]
    assert _decode({"choices": two}).text == "a"


@pytest.mark.parametrize("cut", [b"", b" ", b"{", b'\n{"choices"'])
def test_an_answer_that_only_closing_ends_is_ambiguous_where_it_stops_in_its_json(
    cut: bytes,
) -> None:
    def class_of(body: bytes, status: int = 200, name: str = "x", value: str = "") -> ErrorClass:
        with pytest.raises(ProviderError) as raised:
            decode_body(body, Envelope(status, {name: value}, NOW), allow_empty=True)
        return raised.value.problem.error_class

    assert class_of(cut) is ErrorClass.AMBIGUOUS
    assert class_of(b"<html>") is ErrorClass.MALFORMED_ANSWER
    assert class_of(cut, 200, "content-length", "9") is ErrorClass.MALFORMED_ANSWER
    assert class_of(cut, 200, "transfer-encoding", "Chunked") is ErrorClass.MALFORMED_ANSWER
    assert class_of(cut, 204) is ErrorClass.MALFORMED_ANSWER


def test_an_answer_cut_anywhere_is_no_success() -> None:
    whole = SAMPLE.encode()
    for length in range(len(whole)):
        problem = _problem(whole[:length], allow_empty=True)
        assert problem.error_class is ErrorClass.MALFORMED_ANSWER


_NAMES = st.sampled_from(
    [
        *("error", "code", "choices", "message", "finish_reason", "content", "text", "usage"),
        *("reasoning", "tool_calls", "function_call", "function", "model", "prompt_tokens", "id"),
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner),
    max_leaves=12,
)


@given(_JSON | _JSON.map(_answer), st.booleans())
def test_no_json_whatever_ends_otherwise_than_as_completion_or_typed_error(
    body: object,
    allow_empty: bool,  # noqa: FBT001 -- hypothesis passes by position
) -> None:
    try:
        decoded = _decode(body, allow_empty=allow_empty)
    except ProviderError as error:
        assert error.problem.message.isprintable()  # noqa: PT017
    else:
        assert decoded.finish_reason
        assert allow_empty or decoded.text or decoded.tool_calls
