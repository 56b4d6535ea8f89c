"""The user's columns, found and filled."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import InputError
from batcher.inputs.columns import MAX_COLUMNS, Column, Inference, Place, record_batch, schema

_TEXT: pa.DataType = pa.string()
_INT32: pa.DataType = pa.int32()
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=5,
)


def inferred(*parts: dict[str, Any] | pa.Schema) -> tuple[Column, ...]:
    """Infer from rows and from the schemas of files."""
    inference = Inference()
    for part in parts:
        if isinstance(part, dict):
            inference.add_row(part)
        else:
            for field in part:
                inference.add_field(field)
    return inference.columns()


def field(name: str, type_: pa.DataType, **options: Any) -> pa.Schema:  # noqa: ANN401 # pyarrow's own
    return pa.schema([pa.field(name, type_, **options)])


@given(st.lists(st.dictionaries(NAMES, VALUES), max_size=5))
def test_every_value_of_a_row_comes_back_typed_or_from_its_json_text(
    rows: list[dict[str, Any]],
) -> None:
    columns = inferred(*rows)
    assert {column.field.name for column in columns} == {name for row in rows for name in row}
    for column in columns:
        values = [row.get(column.field.name) for row in rows]
        array: Any = column.of_values(values)
        back = array.to_pylist()
        if column.is_json:
            back = [None if text is None else json.loads(text) for text in back]
        assert back == values


def test_columns_stand_in_the_order_of_their_first_appearance() -> None:
    columns = inferred({"b": 1}, field("c", _TEXT), {"a": 1, "b": None}, field("b", pa.int64()))
    assert [column.field.name for column in columns] == ["b", "c", "a"]


def test_a_column_of_values_of_several_kinds_is_json_text_strings_too() -> None:
    (column,) = inferred({"a": 1}, {"a": "1"}, {"a": None})
    assert column == Column(pa.field("a", _TEXT), is_json=True)
    assert column.of_values([1, "1", None]).to_pylist() == ["1", '"1"', None]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([{"a": None}], _TEXT),
        ([{"a": None}, field("a", _INT32)], _INT32),
        ([field("a", _INT32), {"a": 7}], pa.int64()),
        ([field("a", pa.float64()), {"a": 0.5}], pa.float64()),
        ([field("a", pa.large_string()), {"a": "x"}], pa.large_string()),
        ([field("a", pa.null())], pa.null()),
        ([field("a", pa.null()), {"a": "x"}], _TEXT),
        ([field("a", pa.int8()), field("a", pa.int16()), field("a", _INT32)], _INT32),
        ([field("a", pa.uuid()), {"b": 1}], pa.uuid()),
    ],
    ids=str,
)
def test_types_of_several_files_are_promoted_where_nothing_is_lost(
    parts: list[Any], expected: pa.DataType
) -> None:
    column = inferred(*parts)[0]
    assert (column.field.type, column.is_json) == (expected, False)


@pytest.mark.parametrize(
    "parts",
    [
        [field("a", _INT32), {"a": "x"}],
        [field("a", pa.float64()), {"a": 1}],
        [field("a", _TEXT), {"a": 1}, {"a": "x"}],
        [field("a", _INT32), field("a", _TEXT), field("a", _INT32), {"a": 1}],
        [field("a", _INT32), field("a", pa.date32())],
    ],
    ids=str,
)
def test_types_without_a_common_one_are_json_text(parts: list[Any]) -> None:
    assert inferred(*parts) == (Column(pa.field("a", _TEXT), is_json=True),)


def test_a_column_keeps_its_metadata_and_may_be_null() -> None:
    (column,) = inferred(
        field("a", pa.int8(), nullable=False, metadata={"unit": "kg"}), field("a", _INT32)
    )
    assert column.field.equals(pa.field("a", _INT32, metadata={"unit": "kg"}), check_metadata=True)


@pytest.mark.parametrize("kind", ["rows", "fields"])
def test_more_columns_than_a_table_bears_are_an_error_with_a_way_out(kind: str) -> None:
    names = [f"c{number}" for number in range(MAX_COLUMNS)]
    part: Any = {
        "rows": dict.fromkeys,
        "fields": lambda names: pa.schema([(n, _TEXT) for n in names]),
    }[kind]
    assert len(inferred(part(names))) == MAX_COLUMNS
    with pytest.raises(InputError, match=r"more than 1,000 .* put those that vary into one object"):
        inferred(part(names), part(["one more"]))


@pytest.mark.parametrize(
    ("column", "array", "expected"),
    [
        (Column(pa.field("a", _INT32)), pa.array([1], _INT32), pa.array([1], _INT32)),
        (Column(pa.field("a", _INT32)), pa.array([1], pa.int8()), pa.array([1], _INT32)),
        (Column(pa.field("a", _TEXT), is_json=True), pa.array([1, None]), pa.array(["1", None])),
    ],
)
def test_an_array_of_a_file_takes_the_type_of_its_column(
    column: Column, array: pa.Array[Any], expected: pa.Array[Any]
) -> None:
    assert column.of_array(array).equals(expected)


PLACE = Place(5, ["x", "6"], "a.jsonl", [9, 10], [None, "{bad"])


def test_a_batch_has_the_place_of_each_row_and_a_bad_one_has_a_null_struct() -> None:
    columns = inferred({"a": 1, "b": "x"})
    arrays: list[Any] = [pa.array([1, None]), pa.array(["x", None])]
    batch = record_batch(PLACE, columns, arrays, [False, True])
    batch.validate(full=True)
    assert batch.schema == schema(columns)
    assert batch.to_pylist() == [
        {
            "row": 5,
            "id": "x",
            "source_file": "a.jsonl",
            "source_line": 9,
            "source_text": None,
            "input": {"a": 1, "b": "x"},
        },
        {
            "row": 6,
            "id": "6",
            "source_file": "a.jsonl",
            "source_line": 10,
            "source_text": "{bad",
            "input": None,
        },
    ]


def test_a_batch_without_columns_has_empty_structs() -> None:
    batch = record_batch(PLACE, (), [], [False, True])
    assert batch.schema == schema(())
    assert batch.column("input").to_pylist() == [{}, None]


def test_the_schema_of_batches_is_what_the_outputs_expect() -> None:
    assert schema(inferred({"prompt": "x"})) == pa.schema(
        [
            pa.field("row", pa.int64()),
            pa.field("id", _TEXT),
            pa.field("source_file", _TEXT),
            pa.field("source_line", pa.int64()),
            pa.field("source_text", _TEXT),
            pa.field("input", pa.struct([pa.field("prompt", _TEXT)])),
        ]
    )
