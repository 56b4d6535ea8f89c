"""Values that a JSON Schema allows."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ConfigurationError
from batcher.simulator.breakage import broken
from batcher.simulator.chances import Chances, draw_chances
from batcher.simulator.instances import Schema, make_instance, to_json
from batcher.structured import InvalidAnswerError, Structure

EACH = st.integers(0, 500).map(lambda seed: draw_chances(seed, "row"))


def make(schema: object, subject: str = "a phone", seed: int = 0) -> Any:  # noqa: ANN401 -- any JSON
    return make_instance(schema, subject, draw_chances(seed, "row"))


def field(schema: object, subject: str = "a phone", seed: int = 0) -> Any:  # noqa: ANN401 -- any JSON
    return make({"properties": {"x": schema}}, subject, seed)["x"]


@given(chances=EACH, low=st.integers(-20, 20), width=st.integers(0, 9))
def test_numbers_keep_to_their_bounds(chances: Chances, low: int, width: int) -> None:
    bounds = {"minimum": low, "maximum": low + width}
    beyond = {"exclusiveMinimum": low, "exclusiveMaximum": low + width + 2}
    names = {"a": {"type": "integer", **bounds}, "b": {"type": "number", **bounds}}
    names |= {"c": {"type": "integer", **beyond}, "d": {"type": "number", **beyond}}
    value: Any = make_instance({"properties": names}, "", chances)
    assert type(value["a"]) is int
    assert low <= value["a"] <= low + width
    assert low <= value["b"] <= low + width
    assert low < value["c"] < low + width + 2
    assert low < value["d"] < low + width + 2


@given(chances=EACH)
def test_steps_and_open_bounds_are_kept(chances: Chances) -> None:
    names = {
        "even": {"type": "integer", "multipleOf": 2, "minimum": 5},
        "below": {"type": "integer", "maximum": -7},
        "score": {"type": "number"},
        "tight": {"type": "number", "minimum": 0.001, "maximum": 0.002},
    }
    value: Any = make_instance({"properties": names}, "", chances)
    assert value["even"] % 2 == 0
    assert value["even"] >= 5
    assert value["below"] <= -7
    assert 0 <= value["score"] <= 1
    assert 0.001 <= value["tight"] <= 0.002


@given(chances=EACH)
def test_lists_and_texts_keep_to_their_lengths(chances: Chances) -> None:
    names = {
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 3},
        "kinds": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True},
        "pair": {"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "minItems": 2},
        "none": {"type": "array", "maxItems": 0},
        "long": {"type": "string", "minLength": 50},
        "short": {"type": "string", "maxLength": 3},
    }
    value: Any = make_instance({"properties": names}, "a red phone", chances)
    assert 2 <= len(value["tags"]) <= 3
    assert set(value["tags"]) <= {"a", "red", "phone"}
    assert len(set(value["kinds"])) == len(value["kinds"]) >= 1
    assert value["pair"][:2] == [1, 2]
    assert value["none"] == []
    assert len(value["long"]) >= 50
    assert len(value["short"]) == 3


@pytest.mark.parametrize(
    ("schema", "allowed"),
    [
        ({"enum": ["C", "F"]}, ["C", "F"]),
        ({"const": 7}, [7]),
        ({"type": "boolean"}, [True, False]),
        ({"type": "null"}, [None]),
        ({"type": ["string", "null"], "maxLength": 1}, ["a", None]),
        ({"anyOf": [{"const": 1}, {"type": "null"}]}, [1, None]),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, [1, 2]),
        ({"type": "string", "examples": ["AB-1"], "pattern": "[A-Z]{2}-[0-9]"}, ["AB-1"]),
    ],
)
def test_where_there_is_a_choice_each_is_made_and_no_other(
    schema: object, allowed: list[object]
) -> None:
    made = [field(schema, seed=seed) for seed in range(100)]
    assert all(value in allowed for value in made)
    assert all(value in made for value in allowed)


@pytest.mark.parametrize(
    ("subject", "labels", "chosen"),
    [
        ("It is great", ["neg", "pos"], "pos"),
        ("太差了，要退货", ["好评", "差评"], "差评"),
        ("a cheap phone case", ["tv", "phone", "other"], "phone"),
    ],
)
def test_a_label_is_chosen_by_the_words_of_the_subject(
    subject: str, labels: list[str], chosen: str
) -> None:
    assert {field({"enum": labels}, subject, seed) for seed in range(20)} == {chosen}


@pytest.mark.parametrize("name", ["date", "time", "date-time", "email", "uri", "ipv4", "uuid"])
def test_a_format_is_filled_in(name: str) -> None:
    text = field({"type": "string", "format": name})
    assert any(digit in text for digit in "123456789")
    assert "{" not in text


def test_references_within_the_schema_are_followed_and_parts_joined() -> None:
    schema = {
        "$defs": {"a/b": {"type": "integer", "minimum": 3, "maximum": 3}},
        "allOf": [
            {"properties": {"x": {"$ref": "#/$defs/a~1b"}}, "required": ["x"]},
            {"properties": {"y": {"const": "y"}}, "required": ["y", "z"]},
        ],
        "properties": {"first": {"$ref": "#/allOf/1/properties/y"}},
        "required": [],
    }
    value = make(schema)
    assert value == {"first": "y", "x": 3, "y": "y", "z": "a phone"}


@pytest.mark.parametrize("reference", ["#/$defs/none", "#/allOf/7", "https://example.com", "#/a/b"])
def test_what_a_reference_cannot_reach_may_be_anything(reference: str) -> None:
    assert field({"$ref": reference, "type": "boolean"}) in {True, False}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
        {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]},
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
    ],
)
def test_a_schema_that_names_itself_comes_to_an_end(schema: object) -> None:
    assert len(to_json(make(schema))) < 10_000


@pytest.mark.parametrize("schema", [True, 7, {}, {"type": []}, {"properties": 7}])
def test_a_schema_that_says_nothing_is_met_by_an_empty_object(schema: object) -> None:
    assert make(schema) == {}


def test_a_text_is_about_the_subject_in_its_language() -> None:
    assert "电池很好用" in field({"type": "string"}, "电池很好用")
    reason = make({"properties": {"reason": {"type": "string"}}}, "电池很好用")["reason"]
    assert "电池很好用" in reason
    assert len(reason) > 20


def test_the_same_chances_give_the_same_value_and_others_another() -> None:
    schema = {"properties": {"a": {"type": "number"}, "b": {"type": "number"}}}
    assert make(schema) == make(schema)
    assert json.loads(to_json(make(schema))) == make(schema)
    assert len({to_json(make(schema, seed=seed)) for seed in range(20)}) == 20


# Whether what is made is valid, and what is broken is not, by another's judgement

_bounds = st.integers(-50, 50)
_leaves: st.SearchStrategy[Schema] = st.one_of(
    st.sampled_from(["string", "boolean", "null", "integer", "number"]).map(lambda t: {"type": t}),
    st.builds(
        lambda kind, low, width, bounds: {
            "type": kind,
            bounds[0]: low,
            bounds[1]: low + width,
        },
        st.sampled_from(["integer", "number"]),
        _bounds,
        st.integers(2, 90),
        st.tuples(
            st.sampled_from(["minimum", "exclusiveMinimum"]),
            st.sampled_from(["maximum", "exclusiveMaximum"]),
        ),
    ),
    st.builds(
        lambda kind, name, bound: {"type": kind, name: bound},
        st.sampled_from(["integer", "number"]),
        st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
        _bounds,
    ),
    st.builds(lambda step, low: {"multipleOf": step, "minimum": low}, st.integers(1, 9), _bounds),
    st.lists(st.sampled_from(["pos", "neg", "好", 1, None]), min_size=1, unique=True).map(
        lambda choices: {"enum": choices}
    ),
    st.sampled_from(
        [{"type": ["number", "null"]}, {"$ref": "#/$defs/x"}, {"$ref": "#/$defs/tree"}]
    ),
)
_names = st.sampled_from(["label", "score", "reason", "tags", "a~/b"])


def _object_of(properties: dict[str, Schema], required: set[str]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(required & properties.keys()),
        "additionalProperties": False,
    }


def _containers(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.one_of(
        st.builds(_object_of, st.dictionaries(_names, inner, max_size=4), st.sets(_names)),
        st.builds(
            lambda items, fewest, more: {
                "type": "array",
                "items": items,
                "minItems": fewest,
                "maxItems": fewest + more,
            },
            inner,
            st.integers(0, 3),
            st.integers(0, 3),
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda options: {"anyOf": options}),
    )


_TREE = _object_of(
    {"n": {"type": "number"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    {"n", "kids"},
)
_DEFS = {"x": {"type": "integer", "minimum": 1, "maximum": 5}, "tree": _TREE}
_schemas = st.builds(
    lambda properties, required: {**_object_of(properties, required), "$defs": _DEFS},
    st.dictionaries(
        _names, st.recursive(_leaves, _containers, max_leaves=8), min_size=1, max_size=4
    ),
    st.sets(_names),
)
_subjects = st.sampled_from(["", "a great phone", "这个手机真的很好用，推荐大家购买"])


@given(schema=_schemas, chances=EACH, subject=_subjects)
def test_a_value_is_valid_under_its_schema(schema: Schema, chances: Chances, subject: str) -> None:
    jsonschema.validate(make_instance(schema, subject, chances), schema)


@given(schema=_schemas, chances=EACH, subject=_subjects, chance=st.floats(0, 1, exclude_max=True))
def test_a_broken_answer_is_never_read_as_a_value_of_its_schema(
    schema: Schema, chances: Chances, subject: str, chance: float
) -> None:
    try:
        structure = Structure.of_schema(schema)
    except ConfigurationError:  # its columns would not go into a table
        return
    text = broken(make_instance(schema, subject, chances), schema, chance)
    with pytest.raises(InvalidAnswerError):
        structure.read(text)
