"""JSON as the standard has it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.providers.strict_json import parse

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Surrogates too, which the stdlib writes as escapes.
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_every_json_value_is_read_back_from_text_and_bytes(value: object) -> None:
    text = json.dumps(value)
    assert parse(text) == value
    assert parse(text.encode()) == value


@given(st.binary() | st.text(st.characters()))
def test_arbitrary_data_is_a_value_error_or_json(data: bytes | str) -> None:
    try:
        value = parse(data)
    except ValueError:
        return
    text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    assert value == json.loads(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((text, "Expecting") for text in ("", " ", "{", "'a'", "<html>", "nan")),
        *((text, "is no JSON") for text in ("NaN", '{"a":NaN}', "Infinity", "-Infinity")),
        *((text, "out of range") for text in ("1e999", "-1e999", "[1e400]")),
        *(("[1,]", "Expecting|trailing"), ('"\x01"', "control character"), ("1 2", "Extra data")),
        ("9" * 5000, "digits"),
        *((text, "too deeply") for text in ("[" * 100_000, '{"a":' * 100_000)),
    ],
    ids=lambda text: text[:12],
)
def test_what_the_standard_does_not_allow_is_refused(text: str, reason: str) -> None:
    for data in (text, text.encode()):
        with pytest.raises(ValueError, match=reason):
            parse(data)


@pytest.mark.parametrize("data", [b'"\xff"', b'"\xed\xa0\x80"', '"a"'.encode("utf-16")])
def test_bytes_that_are_not_utf_8_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"utf-8|JSON|Expecting"):
        parse(data)


def test_a_lone_surrogate_is_kept_and_loses_nothing_else() -> None:
    assert parse(rb'{"a":"1\ud800","b":[0.5,2]}') == {"a": "1\ud800", "b": [0.5, 2]}


def test_a_byte_order_mark_is_no_part_of_the_document() -> None:
    assert parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}
