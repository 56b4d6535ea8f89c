"""The algebra of shapes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.inputs.shapes import (
    MAX_DEPTH,
    MAX_FIELDS,
    ListOf,
    Scalar,
    Shape,
    Struct,
    arrow_type,
    holds,
    merge,
    shape_of,
)

KEYS = st.sampled_from(["a", "b"])
NUMBERS = st.sampled_from([0, 1, -5, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 0.5, 2.0, -0.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=6,
)
SHAPES = VALUES.map(shape_of)


def canonical(shape: Shape) -> object:
    """Forget the order of keys, which merging takes from its first part."""
    match shape:
        case ListOf(item):
            return ("list", canonical(item))
        case Struct(fields):
            return frozenset((key, canonical(inner)) for key, inner in fields)
        case _:
            return shape


@given(SHAPES, SHAPES, SHAPES)
def test_merging_is_a_lattice_so_the_order_of_rows_does_not_matter(
    a: Shape, b: Shape, c: Shape
) -> None:
    assert merge(a, a) == a
    assert canonical(merge(a, b)) == canonical(merge(b, a))
    assert canonical(merge(merge(a, b), c)) == canonical(merge(a, merge(b, c)))
    assert merge(Scalar.NULL, a) == merge(a, Scalar.NULL) == a
    assert merge(Scalar.JSON, a) is merge(a, Scalar.JSON) is Scalar.JSON


@given(SHAPES, VALUES)
def test_the_fast_question_has_the_answer_of_the_slow_one(shape: Shape, value: object) -> None:
    assert holds(shape, value) == (merge(shape, shape_of(value)) == shape)


@given(st.lists(VALUES, max_size=5))
def test_values_come_back_from_a_column_of_the_merged_shape(values: list[Any]) -> None:
    shape: Shape = Scalar.NULL
    for value in values:
        shape = merge(shape, shape_of(value))
    if shape is not Scalar.JSON:
        array: Any = pa.array(values, arrow_type(shape))
        assert array.to_pylist() == values
        # True equals 1, but it must come back as what it was.
        assert list(map(str, array.to_pylist())).count("True") == list(map(str, values)).count(
            "True"
        )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None, True, False], pa.bool_()),
        ([1, None, 2**63 - 1], pa.int64()),
        ([1, 0.5], pa.float64()),
        ([2**53, 0.5], pa.float64()),
        (["a", None], pa.string()),
        ([None], pa.string()),
        ([[1], [], None, [None]], pa.list_(pa.int64())),
        ([[], []], pa.list_(pa.string())),
        ([[[1.5]], [[2]]], pa.list_(pa.list_(pa.float64()))),
        (
            [{"role": "user", "n": 1}, {"n": None, "role": "x"}],
            pa.struct([pa.field("role", pa.string()), pa.field("n", pa.int64())]),
        ),
    ],
)
def test_values_of_one_kind_have_a_type(values: list[object], expected: pa.DataType) -> None:
    shape: Shape = Scalar.NULL
    for value in values:
        shape = merge(shape, shape_of(value))
    assert arrow_type(shape) == expected


@pytest.mark.parametrize(
    "values",
    [
        [2**63],
        [-(2**63) - 1],
        [2**53 + 1, 0.5],
        [1, "a"],
        [True, 1],
        [[1], 1],
        [[1], ["a"]],
        [[1, "a"]],
        [{"a": 1}, {"b": 1}],
        [{"a": 1}, {"a": 1, "b": 1}],
        [{"a": 1}, {"a": "x"}],
        [{"a": 1}, [1]],
        [{}],
        [[{}]],
        [dict.fromkeys(map(str, range(MAX_FIELDS + 1)))],
    ],
    ids=repr,
)
def test_values_of_several_kinds_are_json_text(values: list[object]) -> None:
    shape: Shape = Scalar.NULL
    for value in values:
        shape = merge(shape, shape_of(value))
    assert shape is Scalar.JSON
    assert arrow_type(shape) == pa.string()


def test_what_is_deeper_than_a_table_goes_is_json_text() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert shape_of(value) is not Scalar.JSON
    assert shape_of([value]) is Scalar.JSON
    assert shape_of({"a": value}) is Scalar.JSON
