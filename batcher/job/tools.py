"""Tools that a model may call: read from files, and checked (protocol.md section 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from batcher.errors import ConfigurationError
from batcher.wording import kind_of

MOST_TOOLS = 128
# `custom` is OpenAI's, the others are GLM's.
_TYPES = ("function", "retrieval", "web_search", "mcp", "custom")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SHAPE = '{"type": "function", "function": {"name": ..., "parameters": {...}}}'


def with_tools_read(parameters: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Return the parameters with the content of `@file` as their tools; it is below `folder`.

    Raises:
        ConfigurationError: the file cannot be read, or is no JSON.
    """
    read = dict(parameters)
    tools = read.get("tools")
    if isinstance(tools, str) and tools.startswith("@"):
        path = folder / tools[1:]
        try:
            read["tools"] = msgspec.json.decode(path.read_text("utf-8-sig"))
        except OSError as error:
            raise ConfigurationError(f"cannot read the tools {path}: {error.strerror}") from None
        # ValueError: not JSON, or not UTF-8.
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"the tools {path} are no JSON: {error}") from None
    return read


def fault_of_tools(tools: object) -> str | None:
    """Return what is wrong with a list of tools, and where in it; None where nothing is."""
    if not isinstance(tools, list):
        return f"{kind_of(tools)} in place of a list such as [{_SHAPE}]"
    if len(tools) > MOST_TOOLS:
        return f"{len(tools)} tools, where {MOST_TOOLS} are the most"
    names: set[str] = set()
    for number, tool in enumerate(tools):
        if fault := _fault(tool, names):
            return f"[{number}] {fault}"
    return None


def _fault(tool: object, names: set[str]) -> str | None:
    """Return what is wrong with one tool; its function's name must not be among `names`."""
    if not isinstance(tool, Mapping):
        return f"is {kind_of(tool)}, not an object"
    kind = tool.get("type")
    if kind not in _TYPES:
        hint = f"; write {_SHAPE}" if "name" in tool or "function" in tool else ""
        return f"has the type {kind!r}, not one of {', '.join(_TYPES)}{hint}"
    return _fault_of_function(tool.get("function"), names) if kind == "function" else None


def _fault_of_function(function: object, names: set[str]) -> str | None:
    if not isinstance(function, Mapping):
        return f"has no object `function`; write {_SHAPE}"
    name = function.get("name")
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        return f"has the function name {name!r}; it takes 1 to 64 of letters, digits, _ and -"
    if name in names:
        return f"names the function {name!r} a second time"
    names.add(name)
    if not isinstance(function.get("parameters", {}), Mapping):
        return f"has `parameters` of {name!r} that are no JSON Schema object"
    return None
