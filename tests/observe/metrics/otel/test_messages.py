"""Prompts and answers in the conventions' shapes, bounded."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from batcher.observe.metrics.otel.messages import MOST, answered_messages, asked_messages
from batcher.records import Completion
from tests.observe.metrics.samples import USAGE

CALL = {
    "id": "call-1",
    "type": "function",
    "function": {"name": "look_up", "arguments": '{"n": 1}'},
}
ANSWER = Completion("Seven.", None, None, "stop", "glm-4.7", USAGE)


def test_a_chat_of_every_kind_of_message_becomes_parts() -> None:
    messages = [
        {"role": "system", "content": "Be short."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "[PNG, 12 kB]"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA"}},
                "?",
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [CALL, "?"]},
        {"role": "tool", "tool_call_id": "call-1", "content": "a circle"},
    ]
    assert json.loads(asked_messages({"messages": messages})) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be short."}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "What is this?"},
                {"type": "uri", "modality": "image", "uri": "[PNG, 12 kB]"},
                {"type": "input_audio"},
                {"type": "unknown"},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "tool_call", "id": "call-1", "name": "look_up", "arguments": '{"n": 1}'}
            ],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "call-1", "response": "a circle"}],
        },
    ]


def test_an_answer_has_its_thoughts_text_and_calls_and_why_it_ended() -> None:
    answer = replace(
        ANSWER, reasoning="Hm.", tool_calls=json.dumps([CALL]), finish_reason="tool_calls"
    )
    assert json.loads(answered_messages(answer)) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Hm."},
                {"type": "text", "content": "Seven."},
                {"type": "tool_call", "id": "call-1", "name": "look_up", "arguments": '{"n": 1}'},
            ],
            "finish_reason": "tool_call",
        }
    ]


def test_what_is_no_list_of_messages_is_none() -> None:
    assert asked_messages({}) == asked_messages({"messages": "?"}) == "[]"


@given(st.lists(st.text(st.characters(), max_size=20).map(lambda text: text * 3000), max_size=5))
def test_however_long_they_are_it_is_bounded_json_that_can_be_sent(texts: list[str]) -> None:
    made = asked_messages({"messages": [{"role": "user", "content": text} for text in texts]})
    made.encode("utf-8")
    contents = [message["parts"][0]["content"] for message in json.loads(made)]
    assert sum(len(content.removesuffix("…")) for content in contents) <= MOST
    assert len(contents) == len(texts)


def test_chinese_stays_readable() -> None:
    assert "你好" in asked_messages({"messages": [{"role": "user", "content": "你好"}]})
