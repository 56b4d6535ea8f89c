"""One line of JSON, read strictly."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, RowError
from batcher.inputs.objects import MAX_DEPTH, parse_object

# Texts that look like keys, colons and escapes, to lead the filter for duplicates astray.
TRICKY = st.lists(st.sampled_from(['"', "\\", ":", " ", "a", "{", "}", ",", "\n"])).map("".join)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TRICKY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TRICKY, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TRICKY, VALUES, max_size=4)


@given(
    OBJECTS,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
)
def test_every_object_is_read_as_it_was_written(
    value: dict[str, Any],
    ascii_: bool,  # noqa: FBT001 # drawn
    separators: tuple[str, str],
) -> None:
    line = json.dumps(value, ensure_ascii=ascii_, separators=separators).encode()
    assert parse_object(line) == value


@given(TRICKY, OBJECTS, OBJECTS, st.sampled_from([":", " : ", "\t:"]))
def test_a_key_that_stands_twice_is_found_whatever_stands_around_it(
    key: str, before: dict[str, Any], after: dict[str, Any], colon: str
) -> None:
    name = json.dumps(key)
    pair = f"{name}{colon}0"
    inner = f"{{{pair},{json.dumps(name)}:{json.dumps(before)},{pair}}}"
    line = f'{{"x":{json.dumps(after)},"y":[{inner}]}}'
    with pytest.raises(RowError, match="stands twice"):
        parse_object(line.encode())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not JSON: Input data was truncated"),
        (b'{"a":', "not JSON: Input data was truncated"),
        (b"{'a': 1}", "not JSON: object keys must be strings (byte 1)"),
        (b'{"a":1} {"b":2}', "not JSON: trailing characters (byte 9)"),
        (b'{"a":"\x00"}', "not JSON: invalid character (byte 6)"),
        (b"[1]", "an array, not a JSON object"),
        (b'"a"', "a string, not a JSON object"),
        (b"null", "null, not a JSON object"),
        (b"true", "a boolean, not a JSON object"),
        (b"1", "a number, not a JSON object"),
        (b"1.5", "a number, not a JSON object"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"\xed\xa0\x80":1}', "not UTF-8"),
        (b'{"a":\xff}', "not UTF-8"),
        (b'{"a":NaN}', "NaN is no JSON"),
        (b'{"a":[-Infinity]}', "-Infinity is no JSON"),
        (b'{"a":1e999}', "a number is too large"),
        (b'{"a":' + b"1" * 5000 + b"}", "a number is too large"),
        (b'{"a":"\\ud800"}', "a lone surrogate, which is no character"),
        (b'{"\\udc00":1}', "a lone surrogate, which is no character"),
        (b'{"a":1,"a":1}', "the key 'a' stands twice in one object"),
        (b'{"a":1,"\\u0061":2}', "the key 'a' stands twice in one object"),
        (b'{"a" :1,"a":2}', "the key 'a' stands twice in one object"),
        (b'{"a\\\\":1,"a\\\\":2}', r"the key 'a\\' stands twice in one object"),
        (b'{"x":[{"a":{"b":1,"b":2}}]}', "the key 'b' stands twice in one object"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "nested more than 100 deep"),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "nested more than 100 deep"),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested more than 100 deep"),
    ],
)
def test_a_line_that_is_no_object_without_doubt_is_refused_with_the_reason(
    line: bytes, reason: str
) -> None:
    with pytest.raises(RowError, match=f"^{re.escape(reason)}") as error:
        parse_object(line)
    assert error.value.problem.error_class is ErrorClass.INVALID_ROW


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"{}", {}),
        (b' {"a" : 1}\t', {"a": 1}),
        (b'{"a":18446744073709551616}', {"a": 2**64}),
        (b'{"a":"\\u0000\\ud83d\\ude00"}', {"a": "\x00\U0001f600"}),
        ('{"a":"\u2028\u0085中文"}'.encode(), {"a": "\u2028\u0085中文"}),
        (b'{"a":1e-999}', {"a": 0.0}),
    ],
)
def test_what_is_rare_but_right_is_read(line: bytes, value: dict[str, Any]) -> None:
    assert parse_object(line) == value


def test_the_deepest_row_allowed_is_read() -> None:
    depth = MAX_DEPTH - 1
    line = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    assert json.dumps(parse_object(line)).count("[") == depth


def test_a_refused_line_that_is_too_deep_for_python_too_has_a_reason() -> None:
    with pytest.raises(RowError, match=r"not JSON|nested"):
        parse_object(b'{"a":"\\q","b":' + b"[" * 100_000)
