"""Recorded outcomes, turned from rows of Python values into Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from batcher.money import NANOS
from batcher.outputs.typed import out_columns
from batcher.recorded import Recorded
from batcher.structured import StructOf


def by_column(
    recorded: Sequence[Recorded], value: StructOf | None = None
) -> dict[str, Sequence[object]]:
    """Return the values of each field of one or more outcomes; costs in units of the currency.

    Those of `value`, which each answer holds, are among them.
    """
    columns: dict[str, Sequence[object]] = dict(
        zip(Recorded._fields, zip(*recorded, strict=True), strict=True)
    )
    columns["cost"] = [None if one.cost is None else one.cost / NANOS for one in recorded]
    return columns | out_columns(recorded, value)


def array(values: Sequence[object], type_: pa.DataType) -> pa.Array[Any]:
    r"""Make an Arrow array; lone surrogates, which UTF-8 cannot hold, become `\udXXX` as text.

    A model can cut an answer in the middle of an escaped pair; that costs one character here,
    not the export.
    """
    try:
        return pa.array(values, type_)
    except UnicodeEncodeError:
        return pa.array([_escaped(value) for value in values], type_)


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return value
