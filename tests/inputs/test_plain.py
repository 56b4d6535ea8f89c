"""Arrow columns as plain Python values."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.inputs.plain import NO_PLAIN_FORM, json_text, json_texts, plain_rows, plain_values

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
CHINA = ZoneInfo("Asia/Shanghai")
_TEXT: pa.DataType = pa.string()
MESSAGES = pa.list_(pa.struct([pa.field("role", _TEXT), pa.field("at", pa.timestamp("ns"))]))


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (pa.string(), ["a", None]),
        (pa.string_view(), ["a", None]),
        (pa.large_string(), ["a", None]),
        (pa.uint64(), [2**64 - 1, None]),
        (pa.bool_(), [True, None]),
        (pa.float16(), [0.5, None]),
        (pa.decimal128(9, 2), [Decimal("1.50"), None]),
        (pa.binary(), [b"\xff", None]),
        (pa.date32(), [date(2026, 8, 1), None]),
        (pa.time32("s"), [time(1, 2, 3), None]),
        (pa.time64("ns"), [time(1, 2, 3, 4), None]),
        (pa.duration("ns"), [timedelta(seconds=2, microseconds=3), None]),
        (pa.timestamp("s"), [datetime(2026, 8, 1), None]),  # noqa: DTZ001 # a column without zone
        (pa.timestamp("us", "UTC"), [NOON, None]),
        (pa.timestamp("ns", "Asia/Shanghai"), [NOON.astimezone(CHINA), None]),
        (pa.dictionary(pa.int8(), pa.string()), ["x", None, "x"]),
        (pa.null(), [None, None]),
        (pa.struct([]), [{}, None]),
        (pa.uuid(), [UUID(int=7), None]),
        (MESSAGES, [[{"role": "user", "at": None}, None], [], None]),
        (pa.large_list(pa.duration("ns")), [[timedelta(1)], None, []]),
        (pa.list_view(pa.timestamp("ns", "UTC")), [[NOON], None, []]),
        (pa.list_(pa.int8(), 2), [[1, None], None, [2, 3]]),
    ],
    ids=str,
)
def test_every_type_has_plain_values(type_: pa.DataType, values: list[Any]) -> None:
    assert list(plain_values(pa.array(values, type_))) == values


def test_moments_finer_than_a_microsecond_are_cut() -> None:
    nested = pa.array([[1_999], [-1], None], pa.list_(pa.int64()))
    moments = nested.cast(pa.list_(pa.timestamp("ns", "UTC")))
    assert plain_values(moments)[0] == [datetime(1970, 1, 1, microsecond=1, tzinfo=UTC)]
    dictionary = pa.array([1_999], pa.timestamp("ns", "UTC")).dictionary_encode()
    assert plain_values(dictionary) == [datetime(1970, 1, 1, microsecond=1, tzinfo=UTC)]


def test_maps_become_dicts() -> None:
    type_ = pa.map_(_TEXT, pa.list_(pa.int8()))
    array = pa.array([[("a", [1]), ("b", None)], None, []], type_)
    assert plain_values(array) == [{"a": [1], "b": None}, None, {}]
    assert plain_values(array[1:]) == [None, {}]


def test_a_map_of_nested_values_has_them_all_in_each_of_its_slices() -> None:
    """As a cast of the map would not."""
    type_ = pa.map_(_TEXT, pa.list_(pa.struct([pa.field("n", pa.null())])))
    rows: list[Any] = [None, [("a", [{"n": None}])], [], [("b", [None, {"n": None}]), ("c", None)]]
    expected = [None if row is None else dict(row) for row in rows]
    for start in range(4):
        for end in range(start, 5):
            assert plain_values(pa.array(rows, type_)[start:end]) == expected[start:end]


@given(
    st.lists(
        st.none() | st.lists(st.none() | st.fixed_dictionaries({"n": st.none() | st.just(1)}))
    ),
    st.integers(0, 3),
)
def test_a_slice_of_nested_values_has_the_values_of_the_slice(
    values: list[Any], offset: int
) -> None:
    type_ = pa.list_(pa.struct([pa.field("n", pa.int8())]))
    assert list(plain_values(pa.array(values, type_)[offset:])) == values[offset:]


def _bad_text() -> pa.Array[Any]:
    return pa.array([b"\xff"]).view(pa.string())


@pytest.mark.parametrize(
    "array",
    [
        _bad_text(),
        pa.array([2**62], pa.timestamp("s")),
        pa.array([2**62], pa.timestamp("us")),
        pa.array([1], pa.timestamp("us", "Mars/Olympus")),
        pa.array([[("a", 1), ("a", 2)]], pa.map_(_TEXT, pa.int8())),
        pa.array([[([1], 2)]], pa.map_(pa.list_(pa.int8()), pa.int8())),
        pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
    ],
    ids=lambda array: str(array.type),
)
def test_a_value_without_a_plain_form_is_an_error(array: pa.Array[Any]) -> None:
    with pytest.raises(NO_PLAIN_FORM):
        plain_values(array)


def test_rows_have_every_column_and_a_batch_may_have_none() -> None:
    batch = pa.record_batch({"a": [1, None], "b": ["x", "y"]})
    assert plain_rows(batch) == [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    assert plain_rows(batch.select([])) == [{}, {}]


@given(
    st.recursive(
        st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_text_says_the_value(value: Any) -> None:  # noqa: ANN401 # any JSON value
    assert json.loads(json_text(value)) == value


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array(["a", None]), ['"a"', None]),
        (pa.array([1, None]), ["1", None]),
        (pa.array([Decimal("1.50")]), ['"1.50"']),
        (pa.array([b"\xff"]), ['"/w=="']),
        (pa.array([[date(2026, 8, 1)]]), ['["2026-08-01"]']),
        (pa.array([1, None], pa.timestamp("ns")), ['"1970-01-01T00:00:00.000000001"', None]),
        (pa.array([NOON], pa.timestamp("s", "Mars/Olympus")), ['"2026-08-01T12:00:00Z"']),
    ],
    ids=lambda case: str(getattr(case, "type", "")),
)
def test_columns_become_json_texts(array: pa.Array[Any], expected: list[str | None]) -> None:
    assert list(json_texts(array)) == expected


def test_what_json_text_does_not_know_is_its_string() -> None:
    assert json_text({"a": range(2)}) == '{"a":"range(0, 2)"}'
