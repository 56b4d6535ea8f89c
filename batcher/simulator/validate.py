"""What may be asked: a body becomes an `Asked`, or is refused (protocol.md section 1).

The checks are the documented ones; values of None count as absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from batcher.simulator.codes import RefusedError
from batcher.simulator.content import check_content, text_of
from batcher.simulator.models import Model, find_model
from batcher.simulator.tokens import count_prompt_tokens

_ROLES = frozenset({"system", "user", "assistant", "tool"})
_TOOL_TYPES = frozenset({"function", "retrieval", "web_search", "mcp"})
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_EFFORTS_OF_5_3 = frozenset({"low", "high", "max"})
_THINKING = frozenset({"enabled", "disabled"})
_FORMATS = frozenset({"text", "json_object", "json_schema"})
# How batcher writes a schema into a prompt, and how it asks again for an answer that is invalid.
_SCHEMA_LINE = re.compile(r"^JSON Schema:[ \t]*\r?\n[ \t]*(\{.*\})[ \t]*\r?$", re.MULTILINE)
_QUOTED = re.compile(r"<(\w+)>\s*(\S.*?)\s*</\1>", re.DOTALL)
_ASKED_AGAIN = "This answer cannot be used"
_MOST_TOOLS = 128
_MOST_STOPS = 4
_MOST_TOKENS = 131_072

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that holds: what the answer depends on.

    `subject` is the text of the last user message (but one, where that asks again for a valid
    answer), or what stands in tags in it; `instructions` is that of all messages. `schema` is the
    JSON Schema that the answer's text is to follow. A temperature has it vary (`varies`).
    """

    model: str
    subject: str
    instructions: str
    prompt_tokens: int
    max_tokens: int
    stream: bool
    thinks: bool
    wants_json: bool
    schema: Body | None
    functions: tuple[Body, ...]
    varies: bool = False


def read_body(raw: bytes) -> Body:
    """Decode a request's JSON object; a lone surrogate, which JSON can write, becomes a `?`.

    Raises:
        RefusedError: 1214, it is none.
    """
    try:
        try:
            body = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            # Only `json` reads lone surrogates; what else it lets through is refused again here.
            text = json.dumps(json.loads(raw.decode()), ensure_ascii=False)
            body = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise RefusedError("1214", "the body is no JSON") from None
    if not isinstance(body, dict):
        raise RefusedError("1214", "the body is no JSON object")
    return body


def last_user_text(messages: object) -> str:
    """Return the text of the last user message, however little of the request holds."""
    if isinstance(messages, list):
        for message in reversed(messages):
            if isinstance(message, dict) and message.get("role") == "user":
                return text_of(message.get("content"))
    return ""


def _subject(messages: object) -> str:
    """Return what is asked about: what a request for a valid answer leaves as it was.

    Where a part of it stands in tags, that is what the rest is about.
    """
    if isinstance(messages, list):
        for end in range(len(messages), 0, -1):
            if not (text := last_user_text(messages[:end])).startswith(_ASKED_AGAIN):
                quoted = _QUOTED.findall(text)
                return quoted[-1][1] if quoted else text
    return ""


def validate(body: Body) -> Asked:
    """Check a body.

    Raises:
        RefusedError: 1213 a field is missing; 1214 or 1210 one is invalid; 1211 no such model;
            1261 the prompt is longer than the model's context.
    """
    for name in ("model", "messages"):
        if body.get(name) is None:
            raise RefusedError("1213", name)
    code = body["model"]
    if not isinstance(code, str):
        raise RefusedError("1214", "model")
    model = find_model(code)
    if model is None:
        raise RefusedError("1211")
    texts, seen_tokens = _check_messages(body["messages"], model)
    if len(body) == 2:  # noqa: PLR2004 -- model and messages only: nothing else to check
        functions: tuple[Body, ...] = ()
    else:
        _check_numbers(body)
        _check_ids(body)
        functions = _check_tools(body.get("tools"))
    prompt_tokens = count_prompt_tokens(texts, len(texts)) + seen_tokens
    if prompt_tokens > model.context:
        raise RefusedError("1261", f"{prompt_tokens} > {model.context}")
    asked_tokens = body.get("max_tokens")
    return Asked(
        model=code,
        subject=_subject(body["messages"]),
        instructions="\n".join(texts),
        prompt_tokens=prompt_tokens,
        max_tokens=min(asked_tokens, model.longest_output)
        if isinstance(asked_tokens, int)
        else model.longest_output,
        stream=body.get("stream") is True,
        thinks=_thinks(body, code, model),
        wants_json=_wants_json(body.get("response_format"), model),
        schema=_schema(body.get("response_format"), texts),
        functions=functions,
        varies=bool(body.get("temperature")) and body.get("do_sample") is not False,
    )


def check_prompt(body: Body) -> int:
    """Check only model and messages, as the tokenizer does, and return the prompt's tokens."""
    return validate({name: body.get(name) for name in ("model", "messages")}).prompt_tokens


def _is_one_of(value: object, allowed: frozenset[str]) -> bool:
    return isinstance(value, str) and value in allowed


def _check_messages(messages: object, model: Model) -> tuple[list[str], int]:
    """Check roles and contents; return each message's text, and the tokens of what is no text."""
    if not isinstance(messages, list) or not messages:
        raise RefusedError("1214", "messages")
    texts, tokens = [], 0
    asks = False
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict):
            raise RefusedError("1214", where)
        role = message.get("role")
        if not _is_one_of(role, _ROLES):
            raise RefusedError("1214", f"{where}.role")
        content = message.get("content")
        if type(content) is not str:
            tokens += check_content(content, message, where, model)
        if role == "tool" and not isinstance(message.get("tool_call_id"), str):
            raise RefusedError("1214", f"{where}.tool_call_id")
        asks = asks or role in {"user", "tool"}
        texts.append(text_of(content))
    if not asks:
        raise RefusedError("1214", "messages: only system and assistant")
    return texts, tokens


def _check_numbers(body: Body) -> None:
    for name, lowest in (("temperature", 0.0), ("top_p", 0.01)):
        value = body.get(name)
        if value is not None and (
            type(value) not in {int, float} or not lowest <= value <= 1  # type: ignore[operator]
        ):
            raise RefusedError("1210", name)
    tokens = body.get("max_tokens")
    if tokens is not None and (type(tokens) is not int or not 1 <= tokens <= _MOST_TOKENS):
        raise RefusedError("1210", "max_tokens")
    stop = body.get("stop")
    if stop is not None and not (
        isinstance(stop, list)
        and len(stop) <= _MOST_STOPS
        and all(isinstance(text, str) for text in stop)
    ):
        raise RefusedError("1210", "stop")
    for name in ("stream", "do_sample", "tool_stream"):
        if type(body.get(name)) not in {bool, type(None)}:
            raise RefusedError("1214", name)


def _check_ids(body: Body) -> None:
    for name, longest in (("request_id", 64), ("user_id", 128)):
        value = body.get(name)
        if value is not None and not (isinstance(value, str) and 6 <= len(value) <= longest):  # noqa: PLR2004
            raise RefusedError("1214", name)


def _check_tools(tools: object) -> tuple[Body, ...]:
    """Check the tools, and return the functions among them."""
    if tools is None:
        return ()
    if not isinstance(tools, list) or len(tools) > _MOST_TOOLS:
        raise RefusedError("1210", "tools")
    functions: list[Body] = []
    for number, tool in enumerate(tools):
        if not isinstance(tool, dict) or not _is_one_of(tool.get("type"), _TOOL_TYPES):
            raise RefusedError("1214", f"tools[{number}].type")
        if tool["type"] != "function":
            continue
        function = tool.get("function")
        if not isinstance(function, dict) or not _is_name(function.get("name")):
            raise RefusedError("1214", f"tools[{number}].function.name")
        functions.append(function)
    return tuple(functions)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _FUNCTION_NAME.fullmatch(value) is not None


def _thinks(body: Body, name: str, model: Model) -> bool:
    """Check `thinking` and `reasoning_effort`, and tell whether the answer comes with reasoning."""
    thinking, effort = body.get("thinking"), body.get("reasoning_effort")
    newest = name.startswith("glm-5.3")
    if effort is not None and not _is_one_of(effort, _EFFORTS_OF_5_3 if newest else _EFFORTS):
        raise RefusedError("1210", "reasoning_effort")
    if thinking is None:
        return model.thinks and effort != "none"
    kind = thinking.get("type", "enabled") if isinstance(thinking, dict) else None
    if not _is_one_of(kind, _THINKING):
        raise RefusedError("1210", "thinking.type")
    if kind == "disabled" and newest:
        raise RefusedError("1210", "thinking cannot be disabled for this model")
    return model.thinks and kind == "enabled" and effort != "none"


def _wants_json(response_format: object, model: Model) -> bool:
    """Check `response_format`; `json_schema` alone does not ask for JSON, as measured."""
    if response_format is None:
        return False
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if not _is_one_of(kind, _FORMATS):
        raise RefusedError("1210", "response_format.type")
    if model.sees and kind != "text":
        raise RefusedError("1210", "response_format: for models of text only")
    return kind == "json_object"


def _schema(response_format: object, texts: list[str]) -> Body | None:
    """Return the schema that `response_format` holds, as other services take it, or a prompt."""
    if isinstance(response_format, dict) and isinstance(
        named := response_format.get("json_schema"), dict
    ):
        schema = named.get("schema")
        if isinstance(schema, dict):
            return schema
    for text in reversed(texts):
        for line in reversed(_SCHEMA_LINE.findall(text)):
            with suppress(msgspec.DecodeError):
                schema = msgspec.json.decode(line)
                if isinstance(schema, dict):
                    return schema
    return None
