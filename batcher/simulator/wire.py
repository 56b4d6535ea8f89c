"""Answers as bytes: the JSON body and the event stream (protocol.md section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from batcher.simulator.answers import Answer

_PIECE = 6
_KEEP_ALIVE_SHARE = 0.25
_WRITES = 6


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around an answer, whatever it says."""

    id: str
    request_id: str
    created: int
    model: str


def encode_answer(shell: Shell, answer: Answer, fault: str | None = None) -> bytes:
    """Encode a whole answer; `no_choices` and `no_usage` leave those out."""
    message: dict[str, object] = {"role": "assistant"}
    message["content"] = None if answer.tool_call else answer.text
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_call:
        message["tool_calls"] = [_tool_call(shell, answer)]
    choice = {"index": 0, "finish_reason": answer.finish_reason, "message": message}
    body: dict[str, object] = {
        "id": shell.id,
        "request_id": shell.request_id,
        "created": shell.created,
        "model": shell.model,
        "choices": [] if fault == "no_choices" else [choice],
    }
    if fault != "no_usage":
        body["usage"] = _usage(answer)
    if answer.finish_reason == "sensitive":
        body["content_filter"] = [{"role": "assistant", "level": 0}]
    return msgspec.json.encode(body)


def encode_events(
    shell: Shell, answer: Answer, chance: float, fault: str | None = None
) -> list[bytes]:
    """Encode an answer as an event stream, cut into the writes it goes out in.

    The cuts fall anywhere, inside multi-byte characters too; some streams begin with a comment.
    """
    stream = b"".join(_events(shell, answer, chance, fault))
    size = max(len(stream) // _WRITES + int(chance * 16), 1)
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def _events(shell: Shell, answer: Answer, chance: float, fault: str | None) -> Iterator[bytes]:
    if chance < _KEEP_ALIVE_SHARE:
        yield b": keep-alive\n\n"
    if fault != "no_choices":
        for delta in _deltas(shell, answer):
            yield _event(shell, {"index": 0, "delta": delta, "finish_reason": None})
    end = {
        "index": 0,
        "finish_reason": answer.finish_reason,
        "delta": {"role": "assistant", "content": ""},
    }
    usage = None if fault == "no_usage" else _usage(answer)
    yield _event(shell, None if fault == "no_choices" else end, usage)
    yield b"data: [DONE]\n\n"


def _deltas(shell: Shell, answer: Answer) -> Iterator[dict[str, object]]:
    for piece in _pieces(answer.reasoning):
        yield {"role": "assistant", "reasoning_content": piece}
    for piece in _pieces(answer.text):
        yield {"role": "assistant", "content": piece}
    if answer.tool_call:
        first = _tool_call(shell, answer)
        first["function"] = {"name": answer.tool_call.name, "arguments": ""}
        yield {"role": "assistant", "tool_calls": [{"index": 0, **first}]}
        for piece in _pieces(answer.tool_call.arguments):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]


def _event(
    shell: Shell, choice: dict[str, object] | None, usage: dict[str, object] | None = None
) -> bytes:
    event: dict[str, object] = {
        "id": shell.id,
        "created": shell.created,
        "model": shell.model,
        "choices": [choice] if choice else [],
    }
    if usage:
        event["usage"] = usage
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def _tool_call(shell: Shell, answer: Answer) -> dict[str, object]:
    call = answer.tool_call
    function = {"name": call.name, "arguments": call.arguments} if call else {}
    return {"id": f"call_{shell.id}", "type": "function", "function": function}


def _usage(answer: Answer) -> dict[str, object]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }
