"""Arrow columns as values that JSON can hold."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.outputs.json_values import json_values

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
MESSAGES = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("raw", pa.binary())]))


@pytest.mark.parametrize(
    ("type_", "values", "expected"),
    [
        (pa.string(), ["a", None], ["a", None]),
        (pa.int64(), [2**60, None], [2**60, None]),
        (pa.bool_(), [True, None], [True, None]),
        (pa.float64(), [1.5, float("nan"), float("-inf"), None], [1.5, None, None, None]),
        (pa.float16(), [0.5, float("nan"), None], [0.5, None, None]),
        (pa.decimal128(9, 2), [Decimal("1.50"), None], ["1.50", None]),
        (pa.binary(), [b"\xff\x00", None], ["/wA=", None]),
        (pa.binary(2), [b"\xff\x00", None], ["/wA=", None]),
        (pa.timestamp("s", "UTC"), [NOON, None], ["2026-08-01T12:00:00Z", None]),
        (pa.timestamp("us", "Asia/Shanghai"), [NOON], ["2026-08-01T12:00:00.000000Z"]),
        (pa.timestamp("ns"), [1, None], ["1970-01-01T00:00:00.000000001", None]),
        (pa.date32(), [date(2026, 8, 1), None], ["2026-08-01", None]),
        (pa.time64("us"), [time(1, 2, 3), None], ["01:02:03.000000", None]),
        (pa.duration("ms"), [timedelta(seconds=2), None], [2000, None]),
        (pa.dictionary(pa.int8(), pa.string()), ["x", None, "x"], ["x", None, "x"]),
        (pa.struct([]), [{}, None], [{}, None]),
        (pa.null(), [None, None], [None, None]),
        (
            MESSAGES,
            [[{"role": "user", "raw": b"\xff"}, None], [], None],
            [[{"role": "user", "raw": "/w=="}, None], [], None],
        ),
        (pa.list_(pa.float32(), 2), [[1, float("nan")], None, [2, 3]], [[1, None], None, [2, 3]]),
        (
            pa.map_(pa.string(), pa.decimal128(3, 1)),
            [[("a", Decimal("1.5"))], None, []],
            [[{"key": "a", "value": "1.5"}], None, []],
        ),
        (pa.list_view(pa.binary()), [[b"\xff\x00"], None], [["/wA="], None]),
        (pa.large_list_view(pa.binary()), [[b"\xff\x00"], None], [["/wA="], None]),
        (pa.uuid(), [b"0123456789abcdef"], ["MDEyMzQ1Njc4OWFiY2RlZg=="]),
    ],
    ids=str,
)
def test_every_type_has_values_in_json(
    type_: pa.DataType, values: list[Any], expected: list[Any]
) -> None:
    made = list(json_values(pa.array(values, type_)))
    assert made == expected
    json.dumps(made, allow_nan=False)


def test_a_map_of_nested_values_has_them_all_in_each_of_its_slices() -> None:
    """As a cast of the map would not."""
    type_ = pa.map_(pa.string(), pa.list_(pa.struct([pa.field("n", pa.null())])))
    rows: list[Any] = [None, [("a", [{"n": None}])], [], [("b", [None, {"n": None}]), ("c", None)]]
    expected = [row and [{"key": key, "value": value} for key, value in row] for row in rows]
    for start in range(4):
        for end in range(start, 5):
            assert list(json_values(pa.array(rows, type_)[start:end])) == expected[start:end]


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
    assert list(json_values(pa.array(values, type_).slice(offset))) == values[offset:]
