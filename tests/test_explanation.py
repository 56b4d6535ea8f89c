"""What msgspec finds wrong, in the words of a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import pytest

from batcher.explanation import Tables, explain


class _Box(msgspec.Struct, forbid_unknown_fields=True):
    size: int
    kind: Literal["wood", "steel"] = "wood"
    parts: list[int] = []


class _Root(msgspec.Struct, forbid_unknown_fields=True):
    box: _Box | None = None
    boxes: dict[str, _Box] = {}
    words: list[str] = []
    doors: list[_Box] = []


_TABLES = Tables(_Root, {"box": _Box}, {"boxes": _Box}, {"doors": _Box})


def _explained(given: Mapping[str, Any]) -> str:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(given, _Root)
    return explain(str(raised.value), given, _TABLES)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"boxx": 1}, "unknown key `boxx`; did you mean `box`?"),
        ({"size": 1}, "unknown key `size`; it belongs under [box]"),
        ({"zzz": 1}, "unknown key `zzz`; known: box, boxes, words, doors"),
        ({"box": {"sise": 1}}, "unknown key `sise` in [box]; did you mean `size`?"),
        ({"words": 3}, "words: takes a list, not a whole number"),
        ({"box": {"size": "3"}}, "[box] size = '3': takes a whole number, not text"),
        ({"box": {"size": 1, "kind": "x"}}, "[box] kind = 'x': not one of wood, steel."),
        (
            {"box": {"size": 1, "parts": ["x"]}},
            "[box] parts[0] = ['x']: takes a whole number, not text",
        ),
    ],
)
def test_a_table_and_its_key_are_named(given: dict[str, Any], said: str) -> None:
    assert _explained(given) == said


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ({"size": "3"}, "[boxes.\"b\"] size = '3': takes a whole number, not text"),
        ({"size": 1, "kind": "x"}, "[boxes.\"b\"] kind = 'x': not one of wood, steel."),
        (
            {"size": 1, "parts": [0, "x"]},
            "[boxes.\"b\"] parts[1] = [0, 'x']: takes a whole number, not text",
        ),
        ({}, '[boxes."b"]: missing key `size`'),
        (3, '[boxes."b"]: takes a table, not a whole number'),
        ({"sise": 1}, 'unknown key `sise` in [boxes."b"]; did you mean `size`?'),
        ({"5-x": {"size": 1}}, '[boxes.b.5-x]: a name with a dot takes quotes, [boxes."b.5-x"]'),
    ],
)
def test_of_several_tables_the_wrong_one_is_named(box: object, said: str) -> None:
    assert _explained({"boxes": {"a": {"size": 1}, "b": box}}) == said


@pytest.mark.parametrize(
    ("door", "said"),
    [
        ({"size": "canary"}, "[[doors]] 2: size: takes a whole number, not text"),
        ({"size": 1, "kind": "canary"}, "[[doors]] 2: kind: not one of wood, steel"),
        ({}, "[[doors]] 2: missing key `size`"),
        ("canary", "[[doors]] 2: takes a table, not text"),
        ({"sise": "canary"}, "unknown key `sise` in [[doors]] 2; did you mean `size`?"),
    ],
)
def test_in_a_list_of_tables_the_wrong_one_is_named_but_no_value_is_shown(
    door: object, said: str
) -> None:
    assert _explained({"doors": [{"size": 1}, door]}) == said
