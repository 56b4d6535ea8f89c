"""Arrow's nested columns and moments, taken apart."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pyarrow import types

from batcher.arrow import Conversions, converted, entries, is_list, lists, moments, structs

_INT: pa.DataType = pa.int8()


def _tens(array: pa.Array[Any]) -> list[int | None]:
    return [None if value is None else value * 10 for value in array.to_pylist()]


def test_the_first_conversion_that_applies_makes_the_values() -> None:
    conversions: Conversions = [(types.is_int8, _tens), (types.is_integer, lambda _array: [])]
    assert converted(pa.array([1, None], _INT), conversions) == [10, None]
    assert converted(pa.array(["a"]), conversions) == ["a"]


@pytest.mark.parametrize(
    "type_",
    [
        pa.list_(_INT),
        pa.large_list(_INT),
        pa.list_(_INT, 1),
        pa.list_view(_INT),
        pa.large_list_view(_INT),
    ],
    ids=str,
)
def test_lists_of_every_layout_have_the_values_of_their_items(type_: pa.DataType) -> None:
    assert is_list(type_)
    array: Any = pa.array([[1], None, [2], [None]], type_)
    assert lists(array, _tens) == [[10], None, [20], [None]]
    assert lists(array[2:], _tens) == [[20], [None]]


def test_what_is_no_list_is_told_apart() -> None:
    assert not is_list(pa.map_(pa.string(), _INT))
    assert not is_list(_INT)


def test_structs_have_the_values_of_their_fields() -> None:
    array: Any = pa.array([{"a": 1, "b": 2}, None, {"a": None, "b": 3}])
    assert structs(array, _tens) == [{"a": 10, "b": 20}, None, {"a": None, "b": 30}]
    assert structs(array[1:2], _tens) == [None]
    empty: Any = pa.array([{}, None], pa.struct([]))
    assert structs(empty, _tens) == [{}, None]


def test_maps_are_lists_of_their_entries() -> None:
    array: Any = pa.array([[("a", 1)], None, [], [("b", None)]], pa.map_(pa.string(), _INT))
    pairs = [[{"key": "a", "value": 1}], None, [], [{"key": "b", "value": None}]]
    assert entries(array).to_pylist() == pairs
    assert entries(array[1:]).to_pylist() == pairs[1:]


def test_moments_keep_all_their_digits_and_need_no_database_of_zones() -> None:
    assert moments(pa.array([1, None], pa.timestamp("ns"))) == [
        "1970-01-01T00:00:00.000000001",
        None,
    ]
    assert moments(pa.array([0], pa.timestamp("s", "Mars/Olympus"))) == ["1970-01-01T00:00:00Z"]
