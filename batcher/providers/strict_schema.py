"""Which JSON Schemas OpenAI accepts with `strict`, where a model can write nothing else.

https://developers.openai.com/api/docs/guides/structured-outputs ("Supported schemas"). One that it
does not accept is refused with 400, so that in doubt a schema is sent without `strict`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_KEYWORDS = frozenset(
    {
        *("$schema", "$ref", "$defs", "definitions", "title", "description"),
        *("type", "enum", "const", "anyOf"),
        *("properties", "required", "additionalProperties"),
        *("items", "minItems", "maxItems"),
        *("pattern", "format"),
        *("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    }
)
_FORMATS = frozenset(
    "date-time time date duration email hostname ipv4 ipv6 uuid".split()  # noqa: SIM905 # as listed
)
_MOST_PROPERTIES = 5000
_MOST_LEVELS = 10
_MOST_CHOICES = 1000
_MOST_CHARACTERS = 120_000
# One field with more choices than the first may have no more characters in them than the second.
_MANY_CHOICES = 250
_MOST_CHOICE_CHARACTERS = 15_000


class _Part(NamedTuple):
    """A schema within a schema, and the objects that it is nested in."""

    schema: Mapping[str, Any]
    level: int


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI takes `schema` with `strict`."""
    properties = choices = characters = 0
    for part, level in _parts(schema, 1):
        if not _allowed(part) or ("properties" in part and level > _MOST_LEVELS):
            return False
        named = [*part.get("properties", ()), *part.get("$defs", ()), *part.get("definitions", ())]
        listed = [*part.get("enum", ()), *([part["const"]] if "const" in part else ())]
        length = sum(len(choice) for choice in listed if isinstance(choice, str))
        if len(listed) > _MANY_CHOICES and length > _MOST_CHOICE_CHARACTERS:
            return False
        properties += len(part.get("properties", ()))
        choices += len(part.get("enum", ()))
        characters += length + sum(map(len, named))
    return (
        properties <= _MOST_PROPERTIES
        and choices <= _MOST_CHOICES
        and characters <= _MOST_CHARACTERS
    )


def _allowed(part: Mapping[str, Any]) -> bool:
    """Whether one schema, without those within it, keeps the rules."""
    if not _KEYWORDS.issuperset(part) or part.get("format", "date") not in _FORMATS:
        return False
    if "$ref" in part:
        return len(part) == 1
    types = part.get("type", ())
    if "object" in types if isinstance(types, list) else types == "object":
        return part.get("additionalProperties") is False and set(part.get("required", ())) == set(
            part.get("properties", ())
        )
    return bool(types) or "enum" in part or "const" in part or "anyOf" in part


def _parts(schema: object, level: int) -> Iterator[_Part]:
    """Yield a schema and all within it; one that is true or false keeps no rule."""
    whole = schema if isinstance(schema, Mapping) else {"not": {}}
    yield _Part(whole, level)
    for name in ("$defs", "definitions"):
        for part in whole.get(name, {}).values():
            yield from _parts(part, level)
    for part in whole.get("properties", {}).values():
        yield from _parts(part, level + 1)
    for part in whole.get("anyOf", ()):
        yield from _parts(part, level)
    if "items" in whole:
        yield from _parts(whole["items"], level)
