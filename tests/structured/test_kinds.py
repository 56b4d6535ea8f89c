"""Which column the values of a schema fill, and how they are brought into shape."""

from __future__ import annotations

from typing import Any

import pytest

from batcher.structured.kinds import Kind, ListOf, MisfitError, Plain, StructOf, kind_of, shaped

_DEFINED: dict[str, Any] = {
    "#/$defs/name": {"type": "string"},
    "#/$defs/tree": {
        "type": "object",
        "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    },
}


def _kind(schema: object) -> Kind | None:
    return kind_of(schema, _DEFINED.__getitem__)


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, Plain.TEXT),
        ({"type": "integer"}, Plain.INTEGER),
        ({"type": "number"}, Plain.NUMBER),
        ({"type": "boolean"}, Plain.BOOLEAN),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, Plain.TEXT),
        ({"type": ["integer", "number"]}, Plain.NUMBER),
        ({"type": ["string", "integer"]}, Plain.JSON),
        ({"enum": ["a", "b", None]}, Plain.TEXT),
        ({"type": "number", "enum": [1, 2]}, Plain.INTEGER),
        ({"enum": [1, 2.5]}, Plain.NUMBER),
        ({"enum": ["a", 1]}, Plain.JSON),
        ({"enum": [True]}, Plain.BOOLEAN),
        ({"enum": [True, 1]}, Plain.JSON),
        ({"enum": [["a"]]}, Plain.JSON),
        ({"const": "a"}, Plain.TEXT),
        ({"const": None}, None),
        ({"anyOf": [{"$ref": "#/$defs/name"}, {"type": "null"}]}, Plain.TEXT),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, Plain.JSON),
        ({"allOf": [{"$ref": "#/$defs/name"}], "description": "a name"}, Plain.TEXT),
        ({"allOf": [{"type": "string"}, {"minLength": 1}]}, Plain.JSON),
        ({"type": "array", "items": {"type": "integer"}}, ListOf(Plain.INTEGER)),
        ({"type": ["array", "null"], "items": {"type": "string"}}, ListOf(Plain.TEXT)),
        ({"type": "array"}, Plain.JSON),
        ({"type": "array", "items": {"type": "null"}}, Plain.JSON),
        ({"type": "array", "items": False}, Plain.JSON),
        (
            {"type": "array", "items": {"type": "string"}, "prefixItems": [{"type": "integer"}]},
            Plain.JSON,
        ),
        (
            {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}},
            StructOf((("b", Plain.TEXT), ("a", Plain.JSON))),
        ),
        ({"type": "object"}, Plain.JSON),
        ({"type": "object", "properties": {}}, Plain.JSON),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "additionalProperties": {"type": "string"},
            },
            Plain.JSON,
        ),
        ({"$ref": "#/$defs/tree"}, StructOf((("below", ListOf(Plain.JSON)),))),
        ({"properties": {"a": {}}}, Plain.JSON),
        ({}, Plain.JSON),
        (True, Plain.JSON),
    ],
)
def test_a_kind_is_chosen_only_where_every_valid_value_is_of_it(
    schema: object, kind: Kind | None
) -> None:
    assert _kind(schema) == kind


def test_keys_come_in_the_order_of_the_schema_and_unknown_ones_last() -> None:
    kind = StructOf((("b", Plain.TEXT), ("a", ListOf(StructOf((("y", Plain.TEXT),))))))
    value = shaped({"z": 1, "a": [{"x": 1, "y": "t"}], "b": "s"}, kind)
    assert str(value) == "{'b': 's', 'a': [{'y': 't', 'x': 1}], 'z': 1}"


def test_a_whole_number_of_an_integer_column_is_an_integer_however_it_was_written() -> None:
    assert str(shaped([1.0, -2e3, 3], ListOf(Plain.INTEGER))) == "[1, -2000, 3]"
    assert str(shaped(1.0, Plain.NUMBER)) == "1.0"


def test_a_number_beyond_its_integer_column_is_a_misfit_and_its_place_is_named() -> None:
    kind = StructOf((("a", StructOf((("n", ListOf(Plain.INTEGER)),))),))
    with pytest.raises(MisfitError, match="64 bits") as error:
        shaped({"a": {"n": [1, 1e30]}}, kind)
    assert error.value.path == "a.n[1]"
