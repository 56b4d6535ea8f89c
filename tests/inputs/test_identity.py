"""The id of a row."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from batcher.errors import ErrorClass, RowError
from batcher.inputs.identity import row_id


@pytest.mark.parametrize(
    ("columns", "id_column", "expected"),
    [
        ({"id": "a", "custom_id": "b"}, None, "a"),
        ({"custom_id": "b", "prompt": "x"}, None, "b"),
        ({"id": None, "custom_id": "b"}, None, "b"),
        ({"id": None, "custom_id": None}, None, "7"),
        ({}, None, "7"),
        ({"id": 12}, None, "12"),
        ({"id": -(2**70)}, None, str(-(2**70))),
        ({"id": 0}, None, "0"),
        ({"id": " "}, None, " "),
        ({"id": "a", "key": "k"}, "key", "k"),
    ],
)
def test_the_first_of_the_known_columns_names_the_row_else_its_number(
    columns: dict[str, object], id_column: str | None, expected: str
) -> None:
    assert row_id(columns, 7, id_column) == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1.5, "a float"),
        (True, "a bool"),
        ("", "empty"),
        ([], "a list"),
        ({}, "a dict"),
        (b"a", "a bytes"),
        (datetime(2026, 8, 1, tzinfo=UTC), "a datetime"),
    ],
)
@pytest.mark.parametrize("name", ["id", "custom_id", "key"])
def test_an_id_is_a_string_or_an_integer(value: object, kind: str, name: str) -> None:
    with pytest.raises(RowError, match=f"the id in `{name}` is {kind}, not a string") as error:
        row_id({name: value}, 7, "key" if name == "key" else None)
    assert error.value.problem.error_class is ErrorClass.INVALID_ROW


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"id": "a", "prompt": "x"}, "id, prompt"),
        ({"id": "a", "key": None}, "id, key"),
        ({}, "none"),
        ({"x" * 500: 1}, "x" * 40),
        ({f"c{n}": n for n in range(30)}, ", ".join([*(f"c{n}" for n in range(20)), "..."])),
    ],
)
def test_a_missing_id_column_is_an_error_that_names_those_there_are(
    columns: dict[str, object], named: str
) -> None:
    with pytest.raises(RowError, match=re.escape(f"no id in `key`; columns: {named}. Name")):
        row_id(columns, 7, "key")


def test_an_id_column_that_is_misspelt_is_told_with_the_nearest() -> None:
    with pytest.raises(RowError, match=r"no id in `nmae`; .*; did you mean `name`\? Name the"):
        row_id({"name": "a", "prompt": "x"}, 7, "nmae")
