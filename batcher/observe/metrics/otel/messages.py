"""Prompts and answers as attributes of a span, where the user wants them there.

In the shapes of gen-ai-input-messages.json and gen-ai-output-messages.json of the conventions, as
JSON text. Of long ones the rest is cut: spans wait in memory until they are sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from batcher.observe.metrics.texts import encodable
from batcher.records import Completion

MOST = 32 * 1024
"""Characters of text that an attribute holds at most, its frame of JSON aside."""

Part = dict[str, object]


def asked_messages(body: Mapping[str, object]) -> str:
    """Return the messages of a request's body, whose images were taken out before."""
    messages = body.get("messages")
    given = messages if isinstance(messages, list) else []
    return _json([_message(message) for message in given if isinstance(message, Mapping)])


def answered_messages(completion: Completion) -> str:
    """Return an answer as the one message that it is."""
    parts: list[Part] = []
    if completion.reasoning:
        parts.append({"type": "reasoning", "content": completion.reasoning})
    if completion.text:
        parts.append({"type": "text", "content": completion.text})
    if completion.tool_calls:
        parts += _calls(json.loads(completion.tool_calls))
    reason = completion.finish_reason
    # The conventions have it in the singular.
    reason = "tool_call" if reason == "tool_calls" else reason
    return _json([{"role": "assistant", "parts": parts, "finish_reason": reason}])


def _message(message: Mapping[str, object]) -> dict[str, object]:
    role, content = message.get("role"), message.get("content")
    if role == "tool":
        answer = {"type": "tool_call_response", "id": message.get("tool_call_id")}
        return {"role": role, "parts": [{**answer, "response": content}]}
    parts = list(_parts(content))
    return {"role": role, "parts": parts + _calls(message.get("tool_calls"))}


def _parts(content: object) -> Iterator[Part]:
    match content:
        case str(text):
            yield {"type": "text", "content": text}
        case [*parts]:
            yield from map(_part, parts)


def _part(part: object) -> Part:
    match part:
        case {"type": "text", "text": text}:
            return {"type": "text", "content": text}
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return {"type": "uri", "modality": "image", "uri": url}
        case {"type": kind}:
            # A part of a kind of its own; what it holds may be large.
            return {"type": kind}
        case _:
            return {"type": "unknown"}


def _calls(calls: object) -> list[Part]:
    found: list[Part] = []
    for call in calls if isinstance(calls, list) else ():
        match call:
            case {"function": {"name": name, **function}}:
                arguments = function.get("arguments")
                part = {"type": "tool_call", "id": call.get("id"), "name": name}
                found.append({**part, "arguments": arguments})
    return found


def _json(messages: Iterable[object]) -> str:
    left = MOST

    def cut(value: object) -> object:
        nonlocal left
        match value:
            case str(text):
                kept, left = text[:left], max(0, left - len(text))
                return kept if len(kept) == len(text) else f"{kept}…"
            case {**fields}:
                return {name: cut(field) for name, field in fields.items()}
            case [*items]:
                return [cut(item) for item in items]
            case _:
                return value

    return encodable(json.dumps([cut(message) for message in messages], ensure_ascii=False))
