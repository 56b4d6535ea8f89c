"""Arrow types as the features of Hugging Face `datasets`, in the form of a dataset card's metadata.

The rules are those of `datasets.features` (5.2, `_arrow_to_datasets_dtype` for the names and
`Features._to_yaml_list` for the form); older versions read the same. A dictionary is its values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pyarrow as pa
from pyarrow import types

from batcher.errors import OutputError

Feature = dict[str, Any]
"""What stands beside a feature's `name`: its `dtype`, or `list`, `large_list` or `struct`."""


def features(schema: pa.Schema, images: Collection[str] = ()) -> list[Feature]:
    """Return the features of `schema`; columns among `images` that hold files are images.

    Raises:
        OutputError: `datasets` has no such type.
    """
    return [{"name": field.name, **_named(field, field.name in images)} for field in schema]


class _UnheldTypeError(Exception):
    """A type of Arrow's that a dataset does not hold."""


def _named(field: pa.Field[Any], is_image: bool) -> Feature:  # noqa: FBT001 # private and obvious
    try:
        return (_image(field.type) if is_image else None) or _feature(field.type)
    except _UnheldTypeError:
        raise OutputError(
            f"column `{field.name}` is of type {field.type}, which Hugging Face datasets do not "
            "hold; --format parquet or jsonl holds it"
        ) from None


def _image(type_: pa.DataType) -> Feature | None:
    """Return the feature of images, or of lists of them; None where they are but named."""
    if _holds_files(type_):
        return {"dtype": "image"}
    if isinstance(type_, pa.ListType) and _holds_files(type_.value_type):
        return {"list": "image"}
    return None


def _holds_files(type_: pa.DataType) -> bool:
    """Whether these are bytes, or the struct in which `datasets` keeps them."""
    if types.is_binary(type_) or types.is_large_binary(type_):
        return True
    if not types.is_struct(type_):
        return False
    fields = {type_.field(index).name: type_.field(index).type for index in range(type_.num_fields)}
    return fields == {"bytes": pa.binary(), "path": pa.string()}


def _feature(type_: pa.DataType) -> Feature:
    if isinstance(type_, pa.StructType):
        fields = (type_.field(index) for index in range(type_.num_fields))
        return {"struct": [{"name": field.name, **_feature(field.type)} for field in fields]}
    if isinstance(type_, pa.FixedSizeListType):
        return {"list": _inner(type_.value_type), "length": type_.list_size}
    if isinstance(type_, pa.ListType):
        return {"list": _inner(type_.value_type)}
    if isinstance(type_, pa.LargeListType):
        return {"large_list": _inner(type_.value_type)}
    if isinstance(type_, pa.DictionaryType):
        return _feature(type_.value_type)
    return {"dtype": _dtype(type_)}


def _inner(type_: pa.DataType) -> object:
    """Return the feature of a list's items in its short form."""
    feature = _feature(type_)
    if len(feature) == 1:
        return feature.get("dtype") or feature.get("struct") or feature
    return feature


def _dtype(type_: pa.DataType) -> str:
    for applies, name in _NAMES:
        if applies(type_):
            return name
    # What Arrow prints is what `datasets` reads.
    if any(applies(type_) for applies in _AS_PRINTED):
        return str(type_)
    if types.is_fixed_size_binary(type_):
        return f"fixed_size_binary[{type_.byte_width}]"
    raise _UnheldTypeError(type_)


_NAMES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (types.is_boolean, "bool"),
    (types.is_float16, "float16"),
    (types.is_float32, "float32"),
    (types.is_float64, "float64"),
    (types.is_date32, "date32"),
    (types.is_date64, "date64"),
)

_AS_PRINTED: tuple[Callable[[pa.DataType], bool], ...] = (
    *(types.is_null, types.is_integer, types.is_timestamp, types.is_duration, types.is_time),
    *(types.is_decimal128, types.is_decimal256),
    *(types.is_string, types.is_large_string, types.is_string_view),
    *(types.is_binary, types.is_large_binary, types.is_binary_view),
)
