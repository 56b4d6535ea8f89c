"""What is wrong with a value, as a model is told."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from batcher.structured.complaints import complaint

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "enum": ["正面", "负面"]},
        "score": {"type": "number", "maximum": 1},
        "note": {"type": ["string", "null"]},
        "kind": {"const": "review"},
        "parts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "required": ["name"],
            },
        },
        "who": {"anyOf": [{"$ref": "#/$defs/person"}, {"type": "null"}]},
        "either": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
    },
    "$defs": {"person": {"type": "object", "properties": {"age": {"type": "integer"}}}},
    "required": ["label", "score"],
    "additionalProperties": False,
}
GOOD = {"label": "正面", "score": 0.5}


def _said(value: object, schema: dict[str, Any] = SCHEMA) -> str | None:
    return complaint(Draft202012Validator(schema).iter_errors(value))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "好"}, '`label` must be one of "正面", "负面", not "好".'),
        ({"score": "0.5"}, '`score` must be of type number, not "0.5".'),
        ({"score": 7}, "`score` is 7, against the schema's maximum: 1."),
        ({"note": 5}, "`note` must be of type string or null, not 5."),
        ({"kind": "book"}, '`kind` must be "review", not "book".'),
        ({"parts": [{"name": "a"}, {}]}, '`parts[1]` lacks "name".'),
        ({"parts": [{"name": 1}]}, "`parts[0].name` must be of type string, not 1."),
        ({"who": {"age": "old"}}, '`who.age` must be of type integer, not "old".'),
        ({"either": 5}, "`either` must fit what the schema allows there, not 5."),
        ({"x": 1}, 'The object may only have "label", "score", "note", "kind", "parts", "who", '),
    ],
)
def test_it_names_the_field_what_was_expected_and_what_came(
    change: dict[str, Any], said: str
) -> None:
    found = _said(GOOD | change)
    assert found is not None
    assert found.startswith(said)


def test_all_that_is_missing_is_said_at_once() -> None:
    assert _said({}) == 'The object lacks "label", "score".'


def test_nothing_is_said_of_a_valid_value() -> None:
    assert _said(GOOD) is None


def test_three_things_are_said_and_no_more() -> None:
    found = _said({"label": "好", "score": "x", "note": 1, "kind": 2})
    assert found is not None
    assert found.count(" must be ") == 3


@pytest.mark.parametrize(
    "value",
    [
        {"label": "x" * 10_000, "score": 1},
        {"y" * 10_000: 1},
        {"z" * 200 + str(number): 1 for number in range(1000)},
        {"parts": [{"name": {"deep": ["w" * 900]}}] * 100_000},
    ],
)
def test_it_is_short_whatever_the_answer_is(value: object) -> None:
    found = _said(value)
    assert found is not None
    assert len(found) <= 500


def test_a_long_list_of_choices_is_cut() -> None:
    schema = {"enum": [f"choice {number}" for number in range(1000)]}
    found = _said("none", schema)
    assert found is not None
    assert found.endswith('..., not "none".')


def test_a_second_thing_is_said_only_where_there_is_room() -> None:
    choices = {"enum": ["x" * 50 + str(number) for number in range(9)]}
    schema = {"properties": {"a" * 90: choices, "b" * 90: choices}}
    found = _said({"a" * 90: "y" * 90, "b" * 90: "y" * 90}, schema)
    assert found is not None
    assert found.count(" must be ") == 1
