"""Which schemas OpenAI takes with `strict`."""

from __future__ import annotations

from typing import Any

import pytest

from batcher.providers.strict_schema import is_strict
from batcher.structured.fields import schema_of


def _object(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 -- any schemas
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        inner = _object(below=inner)
    return inner


def test_fields_are_always_strict() -> None:
    fields = {"label": ["a", "b"], "n": "integer?", "tags": "string[]?", "who": [{"age": "number"}]}
    assert is_strict(schema_of(fields))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^a", "format": "date"},
        {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.1},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
        {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}], "description": "either"},
        {"const": 1},
        {"enum": ["x" * 10] * 1000},
        {"enum": ["x" * 60] * 250},
        _nested(9),
    ],
)
def test_what_is_documented_as_supported_is_strict(schema: dict[str, Any]) -> None:
    whole = {**_object(a=schema), "$defs": {"a": _object()}, "title": "T"}
    assert is_strict(whole)


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [{"type": "string"}]},
        {"allOf": [{"type": "string"}]},
        {"not": {"type": "string"}},
        {"type": "string", "minLength": 1},
        {"type": "string", "format": "uri"},
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        {"type": "array", "items": False},
        {"type": "string", "default": "x"},
        {"$ref": "#/$defs/a", "description": "beside it"},
        {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": False},
        {"type": "object", "properties": {}},
        {"type": ["object", "null"], "properties": {}, "required": []},
        {"type": "array", "items": {"type": "object"}},
        {"anyOf": [{"type": "object"}]},
        {},
        True,
        {"enum": ["x"] * 1001},
        {"enum": ["x" * 61] * 251},
        _nested(10),
    ],
)
def test_what_is_not_is_sent_without_strict(schema: object) -> None:
    assert not is_strict(_object(a=schema))
    assert not is_strict({**_object(), "$defs": {"a": schema, "b": _object(a=schema)}})


@pytest.mark.parametrize(
    "schema",
    [
        _object(**{f"p{number}": {"type": "string"} for number in range(5001)}),
        _object(**{f"{'p' * 1200}{number}": {"type": "string"} for number in range(100)}),
    ],
)
def test_a_schema_beyond_the_limits_is_not_strict(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
    ],
)
def test_every_field_is_required_and_no_other_allowed(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)
