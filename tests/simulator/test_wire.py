"""Answers as bytes: the JSON body and the event stream."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batcher.simulator.answers import Answer, ToolCall
from batcher.simulator.wire import Shell, encode_answer, encode_events

SHELL = Shell("id-1", "request-1", 1_735_000_000, "glm-4.7")
ANSWER = Answer("好的，hello", "想一想", None, "stop", 8, 5, 2)
CALL = Answer("", "", ToolCall("look_up", '{"city":"北京"}'), "tool_calls", 8, 5, 0)


def decode(answer: Answer, fault: str | None = None) -> Any:  # noqa: ANN401 -- a JSON body
    return json.loads(encode_answer(SHELL, answer, fault))


def events(stream: bytes) -> list[Any]:
    """Decode the data of a stream that ends with [DONE]."""
    *blocks, done, rest = stream.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(block.removeprefix("data: ")) for block in blocks if block[0] != ":"]


def stream(answer: Answer, fault: str | None = None, chance: float = 0.5) -> list[Any]:
    return events(b"".join(encode_events(SHELL, answer, chance, fault)))


def test_a_body_has_the_shape_of_the_documents() -> None:
    assert decode(ANSWER) == {
        "id": "id-1",
        "request_id": "request-1",
        "created": 1_735_000_000,
        "model": "glm-4.7",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": "好的，hello",
                    "reasoning_content": "想一想",
                },
            }
        ],
        "usage": {
            "prompt_tokens": 8,
            "completion_tokens": 5,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }


def test_a_function_call_has_no_content() -> None:
    message = decode(CALL)["choices"][0]["message"]
    assert message["content"] is None
    assert "reasoning_content" not in message
    assert message["tool_calls"] == [
        {
            "id": "call_id-1",
            "type": "function",
            "function": {"name": "look_up", "arguments": '{"city":"北京"}'},
        }
    ]


def test_a_blocked_answer_tells_how_severe_it_was() -> None:
    blocked = Answer("", "", None, "sensitive", 8, 0, 0)
    assert decode(blocked)["content_filter"] == [{"role": "assistant", "level": 0}]


def test_choices_and_usage_can_be_missing() -> None:
    assert decode(ANSWER, "no_choices")["choices"] == []
    assert "usage" in decode(ANSWER, "no_choices")
    assert "usage" not in decode(ANSWER, "no_usage")
    assert [event["choices"] for event in stream(ANSWER, "no_choices")] == [[]]
    assert not any("usage" in event for event in stream(ANSWER, "no_usage"))


def test_usage_rides_on_the_event_with_the_finish_reason() -> None:
    *others, last = stream(ANSWER)
    assert last["usage"] == decode(ANSWER)["usage"]
    assert last["choices"] == [
        {"index": 0, "finish_reason": "stop", "delta": {"role": "assistant", "content": ""}}
    ]
    assert all(event["choices"][0]["finish_reason"] is None for event in others)
    assert not any("usage" in event for event in others)


def test_a_function_call_is_streamed_name_first_and_arguments_in_pieces() -> None:
    first, *others, _ = [event["choices"][0]["delta"] for event in stream(CALL)]
    assert first["tool_calls"] == [
        {
            "index": 0,
            "id": "call_id-1",
            "type": "function",
            "function": {"name": "look_up", "arguments": ""},
        }
    ]
    arguments = [other["tool_calls"][0]["function"]["arguments"] for other in others]
    assert "".join(arguments) == '{"city":"北京"}'
    assert len(arguments) > 1


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    reasoning=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_the_deltas_of_a_stream_add_up_to_the_answer_thoughts_first(
    text: str, reasoning: str, chance: float
) -> None:
    answer = Answer(text, reasoning, None, "stop", 1, 1, 1)
    pieces = encode_events(SHELL, answer, chance)
    deltas = [event["choices"][0]["delta"] for event in events(b"".join(pieces))]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == reasoning
    assert "".join(delta.get("content", "") for delta in deltas) == text
    kinds = ["content" in delta for delta in deltas]
    assert kinds == sorted(kinds)
    assert all(pieces)
    assert 1 < len(pieces) <= 7


def test_one_stream_in_four_begins_with_a_comment() -> None:
    assert encode_events(SHELL, ANSWER, 0.24)[0].startswith(b": keep-alive\n\ndata: ")
    assert encode_events(SHELL, ANSWER, 0.25)[0].startswith(b"data: ")


def test_the_cuts_fall_inside_of_characters_too() -> None:
    answer = Answer("好" * 100, "", None, "stop", 1, 1, 0)
    torn = 0
    for chance in range(100):
        for piece in encode_events(SHELL, answer, chance / 100)[:-1]:
            torn += b"\xe5\xa5\xbd".startswith(piece[-1:]) or piece.endswith(b"\xe5\xa5")
    assert torn
