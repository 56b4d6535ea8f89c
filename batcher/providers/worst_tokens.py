"""The most tokens that a call can take, known before it is made.

A byte-level tokenizer never makes more tokens than its text has bytes (in UTF-8), so bytes bound a
prompt without knowing the model's tokens. What is no text, such as an image, has no such bound but
the model's context, which every prompt must fit into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

PER_MESSAGE = 64
"""Tokens for what a chat template puts around a message, and before the first one: generous."""
# Tools, schemas and calls may be written into the prompt with indentation or as \uXXXX escapes,
# which make at most 12 bytes of 4.
_REWRITTEN = 3
_OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Model:
    """How many tokens a model takes and makes at most, None where that is not known."""

    context: int | None = None
    max_output: int | None = None


def most_prompt(body: Mapping[str, object], model: Model) -> int | None:
    """Return the most tokens that the prompt of a request body can have, None without a bound."""
    bounds = [bound for bound in (_text_bound(body), model.context) if bound is not None]
    return min(bounds, default=None)


def most_output(body: Mapping[str, object], model: Model) -> int | None:
    """Return the most tokens that the answer can have: as the body says, else as the model does."""
    given = [body.get(name) for name in _OUTPUT_LIMITS]
    counts = [count for count in given if type(count) is int and count > 0]
    return max(counts, default=model.max_output or model.context)


def has_tools_of_others(body: Mapping[str, object]) -> bool:
    """Whether a tool is no function of the user's: web search and such bring text, for a fee."""
    tools = body.get("tools")
    return bool(tools) and not (
        isinstance(tools, list)
        and all(isinstance(tool, Mapping) and tool.get("type") == "function" for tool in tools)
    )


def _text_bound(body: Mapping[str, object]) -> int | None:
    """Return the most tokens of a prompt that is nothing but the body's text; None if it is not."""
    messages = body.get("messages")
    if not isinstance(messages, list) or has_tools_of_others(body):
        return None
    rest = [{name: value for name, value in body.items() if name != "messages"}]
    text = 0
    for message in messages:
        content = message.get("content")
        if not all(part.get("type") == "text" for part in _parts(content)):
            return None
        text += _size(content)
        rest.append({name: value for name, value in message.items() if name != "content"})
    return text + _REWRITTEN * _size(rest) + PER_MESSAGE * (len(messages) + 1)


def _parts(content: object) -> list[Mapping[str, object]]:
    return content if isinstance(content, list) else []


def _size(value: object) -> int:
    """Return the bytes of a value as JSON, which are no fewer than those of its texts."""
    return len(msgspec.json.encode(value))
