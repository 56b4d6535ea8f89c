"""Texts of others, made fit for a page."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.observe.report.foreign import (
    cleaned,
    cut,
    data_in_script,
    first_line,
    tidy_json,
)

ANY = st.text(st.characters())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY,
    lambda inner: st.lists(inner) | st.dictionaries(ANY, inner),
)


@given(ANY)
def test_cleaned_texts_can_be_written_and_hold_no_control_or_direction(text: str) -> None:
    found = cleaned(text)
    found.encode("utf-8")
    for character in found:
        assert unicodedata.category(character) not in {"Cc", "Cs"} or character in "\t\n"
        assert unicodedata.bidirectional(character) not in {
            *("LRE", "RLE", "LRO", "RLO", "PDF"),
            *("LRI", "RLI", "FSI", "PDI"),
        }
    assert cleaned(found) == found


@pytest.mark.parametrize("text", ["plain", "中文，标点。", "e\u0301 👩\u200d💻 \tx\ny"])
def test_what_is_harmless_stays(text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x00", "a[31mred"),
        ("abc\u202etxt.exe", "abc[U+202E]txt.exe"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("half \ud800", "half \ufffd"),
    ],
)
def test_what_deceives_is_taken_out_or_named(text: str, shown: str) -> None:
    assert cleaned(text) == shown


def test_a_long_text_is_cut_and_it_is_known_by_how_much() -> None:
    assert cut("abcdef", 4) == ("abcd", 2)
    assert cut("abcd", 4) == ("abcd", 0)


def test_a_text_begins_with_one_line() -> None:
    assert first_line(" one\n\n two ") == "one two"
    assert first_line("x" * 200, 10) == "x" * 9 + "…"
    assert first_line(None) == ""


def test_json_is_indented_and_what_is_none_stays() -> None:
    assert tidy_json('{"一":1}') == '{\n  "一": 1\n}'
    assert tidy_json("{no json") == "{no json"
    assert tidy_json("[" * 100_000) == "[" * 100_000


@given(JSON)
def test_data_in_a_script_is_the_same_data_and_no_markup(value: object) -> None:
    text = data_in_script(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&") & set(text)
