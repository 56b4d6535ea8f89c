"""Tokens, estimated by the documented ratio."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.providers.tokens import count_tokens, estimate_tokens, is_chinese


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        ("", 6),
        ("abcd" * 10, 16),
        ("你好吗" * 10, 26),
        ("你好吗abcd", 9),
        ("カタカナ한국", 10),
        ([{"type": "text", "text": "你好吗"}, {"type": "text", "text": "abcd"}], 9),
        ([{"type": "image_url", "image_url": {"url": "data:" + "x" * 1000}}], 6),
        ([{"type": "text", "text": None}, "stray"], 6),
        (None, 6),
        (7, 6),
    ],
)
def test_the_text_of_a_message_is_counted_by_its_characters(content: object, tokens: int) -> None:
    assert estimate_tokens({"messages": [{"role": "user", "content": content}]}) == tokens


def test_every_message_adds_six() -> None:
    assert estimate_tokens({"messages": [{"content": "abcd"}] * 3}) == 3 * 7


@pytest.mark.parametrize("body", [{}, {"messages": None}, {"messages": []}, {"messages": "abcd"}])
def test_a_body_without_messages_has_no_tokens(body: dict[str, object]) -> None:
    assert estimate_tokens(body) == 0


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(text: str, more: str) -> None:
    def estimate(content: str) -> int:
        return estimate_tokens({"messages": [{"content": content}]})

    assert 6 <= estimate(text) <= estimate(text + more)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("你好吗", 2), ("你好ab", 2)]
)
def test_chinese_characters_count_more_than_others(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "chinese"),
    [("", False), ("hello", False), ("café", False), ("a，", True), ("好", True)],
)
def test_a_text_is_chinese_if_any_of_it_is(text: str, *, chinese: bool) -> None:
    assert is_chinese(text) == chinese
