"""Messages as rows hold them: checked, and made of a prompt."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence

import msgspec

from batcher.errors import ErrorClass, RowError
from batcher.render.images import Message
from batcher.wording import kind_of

ROLES = frozenset({"system", "user", "assistant", "tool", "developer"})


def dialog(system: object, content: object) -> list[Message]:
    """Return a user message of `content`, after a system message if there is one.

    Raises:
        RowError: one of the two is no text, or there is nothing to ask.
    """
    if not isinstance(content, str) or not content.strip():
        kind = "empty" if isinstance(content, str) else f"{kind_of(content)}, not text"
        raise RowError(ErrorClass.INVALID_ROW, f"the prompt is {kind}")
    if system is not None and not isinstance(system, str):
        raise RowError(ErrorClass.INVALID_ROW, f"`system` is {kind_of(system)}, not text")
    user: Message = {"role": "user", "content": content}
    return [{"role": "system", "content": system}, user] if system else [user]


def checked_messages(value: object, name: str) -> list[Message]:
    """Return `value` as a list of messages, or say what is wrong with it.

    Raises:
        RowError: not a list, empty, a role that does not exist, content of a wrong type, or
            nothing but system and assistant messages (protocol.md section 1).
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}` is not a list of messages")
    messages = [
        _checked_message(message, f"{name}[{index}]") for index, message in enumerate(value)
    ]
    if all(message["role"] in ("system", "assistant") for message in messages):
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}` has no user message")
    return messages


def _checked_message(message: object, name: str) -> Message:
    if not isinstance(message, Mapping):
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}` is not an object")
    checked = {
        key: json_value(item, f"{name}.{key}") for key, item in message.items() if item is not None
    }
    role, content = checked.get("role"), checked.get("content")
    if not isinstance(role, str) or role not in ROLES:
        raise RowError(
            ErrorClass.INVALID_ROW,
            f"`{name}.role` is {reprlib.repr(role)}, not one of {', '.join(sorted(ROLES))}",
        )
    if content is None and role != "assistant":
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}.content` is missing")
    if isinstance(content, list):
        if not content or not all(isinstance(part, dict) and "type" in part for part in content):
            raise RowError(ErrorClass.INVALID_ROW, f"`{name}.content` has a part without a type")
    elif content is not None and not isinstance(content, str):
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}.content` is neither text nor parts")
    return checked


def json_value(value: object, name: str) -> object:
    """Return a copy of `value` as JSON, without the nulls of its objects.

    Arrow gives each struct every field of its type; the absent ones come as nulls.

    Raises:
        RowError: JSON has no such value, so that no two writers would write it alike.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {
            key: json_value(item, f"{name}.{key}")
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list | tuple):
        return [json_value(item, name) for item in value]
    what = value if isinstance(value, float) else kind_of(value)
    raise RowError(ErrorClass.INVALID_ROW, f"`{name}` is {what}, which is no JSON")


def decoded(value: object, name: str) -> object:
    """Read a column that may hold its value as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    # ValueError: not JSON, or text that is not Unicode.
    except (ValueError, RecursionError) as error:
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}` is not JSON text: {error}") from None
