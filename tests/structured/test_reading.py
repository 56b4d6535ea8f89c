"""The objects in the text of an answer."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.structured.reading import InvalidAnswerError, objects_in

OBJECT = '{"label": "pos", "score": 0.5}'
VALUE = {"label": "pos", "score": 0.5}

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
objects = st.dictionaries(_names, _values, max_size=4)
written = st.builds(
    lambda value, ascii_, indent: json.dumps(value, ensure_ascii=ascii_, indent=indent),
    objects,
    st.booleans(),
    st.sampled_from([None, 2]),
)
# Words with the braces, quotes and fences that real ones have, and no object.
prose = st.sampled_from(
    [
        "",
        "Sure! Here is the result:\n",
        "好的，结果如下：\n",
        "I'd say {this} fits, since \"it's\" so: ",
        "```json\n",
        '<think>It could be {"label": 1}, or not.</think>\n',
    ]
)
tail = st.sampled_from(["", "\n```", "\n\n希望对您有帮助。", "\nLet me know if {you} need more"])


def _refused(text: str) -> str:
    with pytest.raises(InvalidAnswerError) as error:
        objects_in(text)
    return str(error.value)


@given(prose, written, tail)
def test_any_object_is_read_back_from_fences_and_prose(before: str, text: str, behind: str) -> None:
    if "</think>" not in text:
        assert objects_in(before + text + behind) == [json.loads(text)]


@given(st.data(), prose, written)
def test_an_object_that_is_cut_off_is_never_read(
    data: st.DataObject, before: str, text: str
) -> None:
    cut = data.draw(st.integers(1, len(text) - 1))
    if "</think>" not in text:
        _refused(before + text[:cut])


@given(st.text())
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(InvalidAnswerError):
        assert objects_in(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ("{'a': 'it\\'s', b: null}", {"a": "it's", "b": None}),
        ('{"a": 1 // the first\n, /* and */ "b": .5, "c": +2, "d": 0x1F}', None),
        ('{"a": "two\nlines\tand a tab"}', {"a": "two\nlines\tand a tab"}),
        ('\ufeff {"a": 1} ', {"a": 1}),
    ],
)
def test_what_has_one_meaning_only_is_read_though_it_is_no_json(
    text: str, value: dict[str, Any] | None
) -> None:
    assert objects_in(text) == [value or {"a": 1, "b": 0.5, "c": 2, "d": 31}]
    assert objects_in(f"It is\n```\n{text}\n```") == objects_in(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "pos" or "neg"}',
        '{"score": 1,234.5}',
        '{"score": 12 apples}',
        '{"score": 3/5}',
        '{"label": pos}',
        '{"label": }',
        '{"label": "he said "yes" to it"}',
        '{"label": "pos" "score": 1}',
        '{"tags": ["a", "b"}',
        "{'ok': True}",
        '{"label": "\\alpha"}',
        "{'label': '\\alpha',}",
        "{“label”: “pos”}",
        '{标签：{"label": "pos"}}',
    ],
)
def test_what_would_have_to_be_guessed_is_refused(text: str) -> None:
    assert _refused(text).startswith("The answer is not valid JSON: ")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"label": "pos"}, "b": ',
        '{"a": {"label": "pos"}',
        '{"label": "po',
        '{"label": "pos", ',
        f"First I thought {OBJECT}. But then: " + '{"label": "neg"',
    ],
)
def test_no_part_of_a_cut_off_answer_is_the_answer(text: str) -> None:
    assert "before its JSON object is complete" in _refused(text)


def test_several_objects_come_in_their_order_and_none_from_within_another() -> None:
    assert objects_in('{"a": {"b": 1}} then {"c": []}') == [{"a": {"b": 1}}, {"c": []}]


@pytest.mark.parametrize("opened", ["<think>", ""])
def test_thoughts_before_the_answer_do_not_count(opened: str) -> None:
    text = f'{opened}Perhaps {{"label": "neg"}}?</think>\n\n{OBJECT}'
    assert objects_in(text) == [VALUE]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<think>Perhaps {"label": "neg"}', "ends within <think>"),
        ('<think>Perhaps {"label": "neg"}</think> I cannot tell.', "no JSON object"),
        ('Perhaps {"label": "neg"}</think> I cannot tell.', "no JSON object"),
    ],
)
def test_a_thought_is_never_the_answer(text: str, said: str) -> None:
    assert said in _refused(text)


def test_a_tag_within_the_answer_is_text() -> None:
    assert objects_in('{"a": "</think>"}') == [{"a": "</think>"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON object"),
        ("I am sorry, but I cannot tell.", "no JSON object"),
        ("pos", "no JSON object"),
        ('"pos"', "The answer is a text, not"),
        ('[{"label": "pos"}]', "The answer is a list, not"),
        ("null", "The answer is null, not"),
        ("5", "The answer is a number, not"),
        ("true", "The answer is true or false, not"),
        ('{"n": NaN}', "NaN is no JSON value"),
        ('{"n": -Infinity}', "-Infinity is no JSON value"),
        ("{'n': NaN,}", "NaN is no JSON value"),
        ('{"n": 1e400}', "1e400 is out of range"),
        ("{'n': 1e400,}", "1e400 is out of range"),
        ('{"n": 9223372036854775808}', "does not fit into 64 bits"),
        ('{"n": ' + "9" * 5000 + "}", "does not fit into 64 bits"),
        ("{'n': 0xFFFFFFFFFFFFFFFF,}", "does not fit into 64 bits"),
        ('{"a": 1, "a": 1}', "The key 'a' stands twice"),
        ("{'a': 1, a: 2}", "The key 'a' stands twice"),
        (r'{"a": "\ud83d"}', "half of a character"),
        (r'{"\ud83d": 1}', "half of a character"),
        (r'{"a": ["\ud83d"]}', "half of a character"),
        ('{"a": ' * 51 + "1" + "}" * 51, "more than 50 levels"),
        ('{"a": ' + "[" * 51 + "]" * 51 + "}", "more than 50 levels"),
        ('{"a":' * 100_000, "more than 50 levels"),
        ('{"a": ' + "[" * 100_000 + "}", "more than 50 levels"),
        ("{'a': " + "[" * 3000 + "}", "not valid JSON"),
        ("{}" * 101, "very many JSON objects"),
        ('{"a": [' + "1, " * 100_000 + "1]}", "very many values"),
    ],
)
def test_what_no_column_can_hold_is_refused_with_its_reason(text: str, said: str) -> None:
    found = _refused(text)
    assert said in found
    assert len(found) <= 500


def test_the_smallest_and_the_largest_integer_of_64_bits_are_read() -> None:
    assert objects_in(f'{{"a": {-(2**63)}, "b": {2**63 - 1}}}') == [{"a": -(2**63), "b": 2**63 - 1}]


def test_a_long_answer_is_not_read_as_json5_which_would_take_seconds() -> None:
    assert "not valid JSON" in _refused('{"a": "' + "x" * 4000 + '",}')
