"""The values that answers hold, as columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.outputs.columns import array
from batcher.outputs.typed import out_columns, out_fields
from batcher.recorded import Recorded
from batcher.structured import Kind, ListOf, Plain, StructOf

NAMED = StructOf((("name", Plain.TEXT), ("age", Plain.INTEGER)))


Column = Callable[..., Any]
MakeRecorded = Callable[..., Recorded]


@pytest.fixture(scope="session")
def column(answered: MakeRecorded) -> Column:
    """Make the column of a field `f` of a kind, from its values."""

    def make(kind: Kind, values: list[object]) -> pa.Array[Any]:
        value = StructOf((("f", kind),))
        recorded = [answered(row, output=json.dumps({"f": one})) for row, one in enumerate(values)]
        (field,) = out_fields(value)
        return array(out_columns(recorded, value)[field.name], field.type)

    return make


@pytest.mark.parametrize(
    ("kind", "type_", "values"),
    [
        (Plain.TEXT, pa.string(), ["好", "", None]),
        (Plain.INTEGER, pa.int64(), [-(2**63), 2**63 - 1, None]),
        (Plain.NUMBER, pa.float64(), [0.5, -1e300, 3.0, None]),
        (Plain.BOOLEAN, pa.bool_(), [True, False, None]),
        (ListOf(Plain.INTEGER), pa.list_(pa.int64()), [[1, None], [], None]),
        (
            NAMED,
            pa.struct([("name", pa.string()), ("age", pa.int64())]),
            [{"name": "a", "age": 1}, {"name": None, "age": None}, None],
        ),
        (
            ListOf(NAMED),
            pa.list_(pa.struct([("name", pa.string()), ("age", pa.int64())])),
            [[{"name": "a", "age": 1}], [], None],
        ),
    ],
)
def test_a_kind_has_its_arrow_type_and_values_stay_what_they_are(
    column: Column, kind: Kind, type_: pa.DataType, values: list[object]
) -> None:
    made = column(kind, values)
    assert made.type == type_
    assert made.to_pylist() == values


_NULL = st.none()
_VALUES: dict[Plain, st.SearchStrategy[Any]] = {
    Plain.TEXT: st.text(st.characters(exclude_categories=["Cs"])),
    Plain.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Plain.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    Plain.BOOLEAN: st.booleans(),
}
_kinds = st.recursive(
    st.sampled_from([*_VALUES]),
    lambda inner: (
        st.builds(ListOf, inner)
        | st.lists(inner, min_size=1, max_size=3).map(
            lambda kinds: StructOf(tuple((f"f{at}", kind) for at, kind in enumerate(kinds)))
        )
    ),
    max_leaves=4,
)


def _values(kind: Kind) -> st.SearchStrategy[Any]:
    match kind:
        case ListOf(item):
            return _NULL | st.lists(_values(item), max_size=3)
        case StructOf(fields):
            return _NULL | st.fixed_dictionaries({name: _values(part) for name, part in fields})
        case _:
            return _NULL | _VALUES[kind]


@given(data=st.data(), kind=_kinds)
def test_any_value_of_a_kind_is_the_same_in_its_column(
    column: Column, data: st.DataObject, kind: Kind
) -> None:
    values = data.draw(st.lists(_values(kind), max_size=4))
    assert column(kind, values).to_pylist() == values


def test_a_whole_number_that_a_float_can_only_be_near_to_is_still_a_number(column: Column) -> None:
    assert column(Plain.NUMBER, [2**53 + 1, 7]).to_pylist() == [float(2**53), 7.0]


def test_what_has_no_plain_type_is_json_text(column: Column) -> None:
    made = column(Plain.JSON, [{"好": [1, None]}, "a", 1.5, True, None])
    assert made.to_pylist() == ['{"好":[1,null]}', '"a"', "1.5", "true", None]


def test_a_field_that_is_absent_is_null_and_one_that_no_column_has_is_left_out(
    column: Column, answered: MakeRecorded
) -> None:
    assert column(NAMED, [{"age": 3, "more": "x"}]).to_pylist() == [{"name": None, "age": 3}]
    value = StructOf((("f", Plain.TEXT), ("g", Plain.TEXT)))
    recorded = [answered(0, output='{"f":"a","h":"b"}'), answered(1)]
    assert out_columns(recorded, value) == {"out.f": ["a", None], "out.g": [None, None]}


def test_answers_taken_as_they_are_have_no_such_columns(answered: MakeRecorded) -> None:
    assert out_fields(None) == []
    assert out_columns([answered(0)], None) == {}


def test_a_row_without_an_outcome_has_nulls_under_the_prefix_that_is_asked_for(
    answered: MakeRecorded,
) -> None:
    recorded = [answered(0, output='{"name": "Ann", "age": 7}'), None]
    assert out_columns(recorded, NAMED, "a") == {"a.name": ["Ann", None], "a.age": [7, None]}
    assert [field.name for field in out_fields(NAMED, "a")] == ["a.name", "a.age"]
