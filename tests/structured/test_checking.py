"""A JSON Schema, checked when a job begins."""

from __future__ import annotations

from typing import Any

import pytest

from batcher.errors import ConfigurationError
from batcher.structured.checking import checked


def _object(**properties: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _refused(schema: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as error:
        checked(schema)
    return str(error.value)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (_object(a={"type": "strin"}), "[output] schema, at #/properties/a/type: 'strin' is no"),
        (_object(a={"pattern": "("}), "at #/properties/a/pattern: '(' is not a 'regex'"),
        (_object(a={"enum": "pos"}), "at #/properties/a/enum: 'pos' is not of type 'array'"),
        (_object(a=5), "at #/properties/a: 5 is not of type"),
        ({"type": "array", "items": {}}, "the value must be an object whose fields are named"),
        ({"type": ["object", "null"], "properties": {"a": {}}}, "must be an object"),
        ({"type": "object"}, "must be an object whose fields are named"),
        ({"properties": {"a": {}}}, "must be an object"),
        ({}, "must be an object"),
        ({**_object(a={}), "$schema": "https://example.com/mine"}, "no known draft"),
        (_object(a={"$ref": "#/$defs/gone"}), "at #/properties/a/$ref: '#/$defs/gone' is not in"),
        (_object(a={"$ref": "https://example.com/a.json"}), "nothing is fetched"),
        (_object(a={"$ref": "other.json#/a"}), "nothing is fetched"),
        (_object(a={"anyOf": [{}, {"$ref": "file:///etc/passwd"}]}), "/a/anyOf/1/$ref"),
        (_object(a={"$id": "https://example.com/a", "type": "string"}), "an address of its own"),
        ({**_object(a={}), "allOf": [{"$ref": "#"}]}, "refers to itself without an end"),
    ],
)
def test_a_schema_that_cannot_serve_is_refused_and_the_place_is_named(
    schema: dict[str, Any], said: str
) -> None:
    assert said in _refused(schema)


def test_what_only_looks_like_a_reference_is_none() -> None:
    schema = _object(a={"const": {"$ref": "x"}}, b={"enum": [{"$id": "x"}]}, id={"type": "string"})
    schema["properties"]["$ref"] = {"type": "string"}
    validate, _ = checked(schema)
    assert validate({"a": {"$ref": "x"}, "$ref": "y"}) is None


def test_definitions_within_the_schema_are_found_also_with_an_id_at_its_top() -> None:
    schema = {
        **_object(a={"$ref": "#/$defs/label"}),
        "$id": "https://example.com/label",
        "$defs": {"label": {"enum": ["pos", "neg"]}},
    }
    validate, resolve = checked(schema)
    assert resolve("#/$defs/label") == {"enum": ["pos", "neg"]}
    assert validate({"a": "pos"}) is None
    assert validate({"a": "x"}) == '`a` must be one of "pos", "neg", not "x".'


@pytest.mark.parametrize(
    ("draft", "keyword", "counts"),
    [
        (None, "prefixItems", True),
        ("https://json-schema.org/draft/2020-12/schema", "prefixItems", True),
        ("http://json-schema.org/draft-07/schema#", "prefixItems", False),
        ("http://json-schema.org/draft-07/schema#", "items", True),
    ],
)
def test_the_draft_is_the_one_that_the_schema_names_else_2020_12(
    draft: str | None, keyword: str, *, counts: bool
) -> None:
    named = {"$schema": draft} if draft else {}
    validate, _ = checked({**_object(a={keyword: [{"type": "integer"}]}), **named})
    assert validate({"a": [1]}) is None
    assert (validate({"a": ["x"]}) is not None) is counts


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [("date", "2026-11-26", "26.11.2026"), ("email", "a@example.com", "nobody")],
)
def test_a_format_counts(format_: str, good: str, bad: str) -> None:
    validate, _ = checked(_object(a={"type": "string", "format": format_}))
    assert validate({"a": good}) is None
    assert validate({"a": bad}) is not None


def test_what_is_required_and_not_allowed_is_refused_before_any_answer_is_paid() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": ["b"]}
    checked(schema)
    with pytest.raises(ConfigurationError, match="'b' is required, but stands in no property"):
        checked({**schema, "additionalProperties": False})


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ([1, 2, "1", True, [1], {"a": 1}], True),
        ([1, 1.0], False),
        ([{"a": 1, "b": [2.0]}, {"b": [2], "a": 1}], False),
        ([True, 1, 0, False], True),
        (["x", "x"], False),
        ([], True),
    ],
)
def test_items_are_unique_as_the_standard_has_it(items: list[Any], unique: bool) -> None:  # noqa: FBT001 -- a case
    fields = {"a": {"type": "array", "uniqueItems": True}}
    validate, _ = checked({"type": "object", "properties": fields})
    assert (validate({"a": items}) is None) is unique


def test_items_need_not_be_unique_unless_that_is_wanted() -> None:
    fields = {"a": {"type": ["array", "string"], "uniqueItems": False}}
    validate, _ = checked({"type": "object", "properties": fields})
    assert validate({"a": [1, 1]}) is None
    assert validate({"a": "xx"}) is None
