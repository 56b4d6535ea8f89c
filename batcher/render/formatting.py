"""A request that asks for a value of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batcher.errors import ErrorClass, RowError
from batcher.structured import AnswerFormat

_SYSTEM = frozenset({"system", "developer"})


def formatted(body: Mapping[str, Any], answer_format: AnswerFormat) -> dict[str, Any]:
    """Return a request's body that asks for `answer_format`; one of its own stays as it is.

    The schema stands in the body in any case, so that another schema makes another key.

    Raises:
        RowError: the row lets the model call a tool in the place of an answer.
    """
    if "tools" in body:
        raise RowError(
            ErrorClass.INVALID_ROW,
            "the tools of the row let the model call a function where [output] wants a value",
        )
    if "response_format" in body or answer_format.response_format is None:
        return {**body, "messages": _told(body["messages"], answer_format.instructions)}
    messages = body["messages"]
    if not answer_format.shown:
        messages = _told(messages, answer_format.instructions)
    return {**body, "messages": messages, "response_format": answer_format.response_format}


def _told(messages: list[dict[str, Any]], instructions: str) -> list[dict[str, Any]]:
    """Put the instructions at the end of the first system message; without one, make it."""
    for at, message in enumerate(messages):
        if message["role"] in _SYSTEM and (content := message.get("content")):
            told = (
                f"{content}\n\n{instructions}"
                if isinstance(content, str)
                else [*content, {"type": "text", "text": instructions}]
            )
            return [*messages[:at], {**message, "content": told}, *messages[at + 1 :]]
    return [{"role": "system", "content": instructions}, *messages]
