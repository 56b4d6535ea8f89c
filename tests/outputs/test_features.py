"""Arrow types as features of a dataset: each as `datasets` 5.2 itself makes it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import yaml

from batcher.errors import OutputError
from batcher.outputs.features import features

_TEXT: Any = pa.string()
_FILE: Any = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


@pytest.mark.parametrize(
    ("type_", "feature"),
    [
        (pa.null(), {"dtype": "null"}),
        (pa.bool_(), {"dtype": "bool"}),
        (pa.uint8(), {"dtype": "uint8"}),
        (pa.int64(), {"dtype": "int64"}),
        (pa.float16(), {"dtype": "float16"}),
        (pa.float32(), {"dtype": "float32"}),
        (pa.float64(), {"dtype": "float64"}),
        (pa.string(), {"dtype": "string"}),
        (pa.large_string(), {"dtype": "large_string"}),
        (pa.string_view(), {"dtype": "string_view"}),
        (pa.binary(), {"dtype": "binary"}),
        (pa.binary(3), {"dtype": "fixed_size_binary[3]"}),
        (pa.date32(), {"dtype": "date32"}),
        (pa.date64(), {"dtype": "date64"}),
        (pa.time32("ms"), {"dtype": "time32[ms]"}),
        (pa.time64("ns"), {"dtype": "time64[ns]"}),
        (pa.duration("us"), {"dtype": "duration[us]"}),
        (pa.timestamp("us"), {"dtype": "timestamp[us]"}),
        (pa.timestamp("ns", "Asia/Shanghai"), {"dtype": "timestamp[ns, tz=Asia/Shanghai]"}),
        (pa.decimal128(9, 2), {"dtype": "decimal128(9, 2)"}),
        (pa.decimal256(40, 3), {"dtype": "decimal256(40, 3)"}),
        (pa.dictionary(pa.int32(), _TEXT), {"dtype": "string"}),
        (pa.list_(_TEXT), {"list": "string"}),
        (pa.list_(_TEXT, 2), {"list": "string", "length": 2}),
        (pa.large_list(_TEXT), {"large_list": "string"}),
        (pa.list_(pa.list_(_TEXT)), {"list": {"list": "string"}}),
        (pa.list_(pa.list_(_TEXT, 2)), {"list": {"list": "string", "length": 2}}),
        (
            _FILE,
            {"struct": [{"name": "bytes", "dtype": "binary"}, {"name": "path", "dtype": "string"}]},
        ),
        (
            pa.list_(pa.struct([pa.field("no", pa.list_(pa.int8()))])),
            {"list": [{"name": "no", "list": "int8"}]},
        ),
        (
            pa.struct([pa.field("s", pa.struct([pa.field("x", pa.bool_())]))]),
            {"struct": [{"name": "s", "struct": [{"name": "x", "dtype": "bool"}]}]},
        ),
    ],
)
def test_each_type_has_the_feature_that_datasets_gives_it(
    type_: pa.DataType, feature: dict[str, Any]
) -> None:
    (found,) = features(pa.schema([pa.field("c", type_)]))
    assert found == {"name": "c", **feature}
    # `datasets` looks at the first key behind the name.
    assert list(found)[1] == next(iter(feature))
    assert yaml.safe_load(yaml.safe_dump(found)) == found


@pytest.mark.parametrize(
    "type_",
    [
        pa.map_(pa.string(), pa.int64()),
        pa.list_(pa.map_(pa.string(), pa.int64())),
        pa.list_view(pa.string()),
        pa.uuid(),
    ],
    ids=str,
)
def test_a_type_that_datasets_lacks_is_an_error_that_names_column_and_way_out(
    type_: pa.DataType,
) -> None:
    with pytest.raises(OutputError, match=r"column `tags` is of type .*--format parquet or jsonl"):
        features(pa.schema([pa.field("tags", type_)]))


@pytest.mark.parametrize(
    ("type_", "feature"),
    [
        (pa.binary(), {"dtype": "image"}),
        (pa.large_binary(), {"dtype": "image"}),
        (_FILE, {"dtype": "image"}),
        (pa.list_(_FILE), {"list": "image"}),
        # Only names of images: they are not in the dataset.
        (_TEXT, {"dtype": "string"}),
    ],
    ids=str,
)
def test_columns_that_hold_the_files_of_images_are_images(
    type_: pa.DataType, feature: dict[str, Any]
) -> None:
    schema = pa.schema([pa.field("photo", type_), pa.field("other", pa.binary())])
    assert features(schema, {"photo"}) == [
        {"name": "photo", **feature},
        {"name": "other", "dtype": "binary"},
    ]
