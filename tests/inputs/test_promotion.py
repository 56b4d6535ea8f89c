"""Types that hold the values of two others."""

from __future__ import annotations

import itertools
from typing import Any

import pyarrow as pa
import pytest

from batcher.inputs.promotion import promote

_INT64: pa.DataType = pa.int64()
INT8, INT64, TEXT = pa.int8(), _INT64, pa.string()

# For each type, values at its limits.
LIMITS: dict[pa.DataType, list[Any]] = {
    pa.int8(): [-(2**7), 2**7 - 1],
    pa.int16(): [-(2**15), 2**15 - 1],
    pa.int32(): [-(2**31), 2**31 - 1],
    pa.int64(): [-(2**63), 2**63 - 1],
    pa.uint8(): [2**8 - 1],
    pa.uint16(): [2**16 - 1],
    pa.uint32(): [2**32 - 1],
    pa.uint64(): [2**64 - 1],
    pa.float16(): [0.5, 65504.0],
    pa.float32(): [0.5, 2.0**127],
    pa.float64(): [0.1, 1e308],
    pa.bool_(): [True],
    pa.string(): ["a"],
    pa.large_string(): ["a"],
    pa.string_view(): ["a"],
    pa.binary(): [b"\xff"],
    pa.large_binary(): [b"\xff"],
    pa.date32(): [],
    pa.timestamp("us"): [],
    pa.null(): [None],
    pa.dictionary(pa.int8(), pa.string()): ["a", None],
    pa.list_(pa.int8()): [[1, None], None],
    pa.large_list(pa.int64()): [[2**60]],
    pa.list_(pa.float64()): [[0.5]],
    pa.struct([pa.field("a", pa.int8())]): [{"a": 1}, None],
    pa.struct([pa.field("a", pa.uint16())]): [{"a": 2**16 - 1}],
    pa.struct([pa.field("b", pa.int8())]): [{"b": 1}],
}


@pytest.mark.parametrize(
    ("one", "other"), list(itertools.combinations_with_replacement(LIMITS, 2)), ids=str
)
def test_no_value_is_lost_in_the_common_type_and_order_does_not_matter(
    one: pa.DataType, other: pa.DataType
) -> None:
    common = promote(one, other)
    assert promote(other, one) == common
    if common is not None:
        for type_ in (one, other):
            values: Any = pa.array(LIMITS[type_], type_)
            assert values.cast(common).to_pylist() == LIMITS[type_]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (pa.int8(), pa.int32(), pa.int32()),
        (pa.uint8(), pa.int8(), pa.int16()),
        (pa.uint32(), pa.int8(), pa.int64()),
        (pa.uint8(), pa.uint64(), pa.uint64()),
        (pa.uint64(), pa.int8(), None),
        (pa.int32(), pa.float64(), pa.float64()),
        (pa.int64(), pa.float64(), None),
        (pa.int8(), pa.float32(), None),
        (pa.float16(), pa.float32(), pa.float32()),
        (pa.string(), pa.string_view(), pa.large_string()),
        (pa.binary(), pa.large_binary(), pa.large_binary()),
        (pa.string(), pa.binary(), None),
        (pa.string(), pa.int8(), None),
        (pa.null(), pa.date32(), pa.date32()),
        (pa.date32(), pa.date64(), None),
        (pa.dictionary(pa.int8(), TEXT), TEXT, TEXT),
        (pa.dictionary(pa.int8(), TEXT), pa.dictionary(pa.int32(), TEXT), TEXT),
        (pa.list_(pa.int8()), pa.list_(pa.int16()), pa.list_(pa.int16())),
        (pa.list_(pa.int8()), pa.large_list(pa.int8()), pa.large_list(pa.int8())),
        (pa.list_(pa.int8()), pa.list_(TEXT), None),
        (pa.list_(pa.int8()), pa.int8(), None),
        (
            pa.struct([pa.field("a", pa.null()), pa.field("b", pa.struct([]))]),
            pa.struct([pa.field("a", TEXT), pa.field("b", pa.struct([]))]),
            pa.struct([pa.field("a", TEXT), pa.field("b", pa.struct([]))]),
        ),
        (pa.struct([pa.field("a", INT8)]), pa.struct([pa.field("a", TEXT)]), None),
    ],
    ids=str,
)
def test_the_common_type_is_the_plain_one(
    one: pa.DataType, other: pa.DataType, expected: pa.DataType | None
) -> None:
    assert promote(one, other) == expected
    assert promote(other, one) == expected
