"""The short form of a schema."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from batcher.errors import ConfigurationError
from batcher.structured.fields import schema_of


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        ("string", {"type": "string"}),
        ("integer?", {"type": ["integer", "null"]}),
        ("number[]", {"type": "array", "items": {"type": "number"}}),
        ("boolean?[]", {"type": "array", "items": {"type": ["boolean", "null"]}}),
        ("string[]?", {"type": ["array", "null"], "items": {"type": "string"}}),
        (
            "string[][]",
            {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
        ),
        (["正面", "负面"], {"type": "string", "enum": ["正面", "负面"]}),
        (["only"], {"type": "string", "enum": ["only"]}),
        ([1, 2, 3], {"type": "integer", "enum": [1, 2, 3]}),
    ],
)
def test_each_form_is_the_schema_of_its_values(form: object, schema: dict[str, Any]) -> None:
    assert schema_of({"f": form})["properties"] == {"f": schema}


def test_tables_are_objects_and_all_fields_are_required_and_no_other_is_allowed() -> None:
    made = schema_of({"who": {"name": "string"}, "parts": [{"kind": ["a", "b"]}]})
    inner = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    assert made["required"] == ["who", "parts"]
    assert made["additionalProperties"] is False
    assert made["properties"]["who"] == inner
    assert made["properties"]["parts"]["items"]["required"] == ["kind"]
    Draft202012Validator.check_schema(made)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({}, "[output.fields] names no field"),
        ({"label": "strng"}, "[output.fields] label = 'strng': write one of string, integer"),
        ({"label": "?"}, "label = '?'"),
        ({"label": "string??"}, "label = 'string??'"),
        ({"label": ""}, "label = ''"),
        ({"label": 5}, "label = 5"),
        ({"label": []}, "label = []"),
        ({"label": date(2026, 1, 1)}, "label = datetime.date"),
        ({"label": ["a", 1]}, "choices are all texts, or all whole numbers"),
        ({"label": [0.5, 1.5]}, "choices are all texts, or all whole numbers"),
        ({"label": [True, False]}, "choices are all texts, or all whole numbers"),
        ({"label": ["a", "b", "a"]}, "a choice stands there twice"),
        ({"who": {"name": "text"}}, "[output.fields] who name = 'text'"),
        ({"who": {}}, "[output.fields] who names no field"),
        ({"parts": [{"name": "text"}]}, "[output.fields] parts[] name = 'text'"),
        ({"parts": [{"a": "string"}, {"b": "string"}]}, "choices are all texts"),
    ],
)
def test_what_is_wrong_names_the_field_and_what_may_stand_there(
    fields: dict[str, Any], where: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        schema_of(fields)
    assert where in str(error.value)
