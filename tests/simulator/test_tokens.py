"""The estimate of tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.simulator.tokens import count_prompt_tokens, count_tokens, cut_to_tokens, is_chinese

TEXT = st.text(st.sampled_from("ab 你好，𠀀한あ\u00e9\U0001f600"))


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("你好吗", 2), ("你好ab", 2)]
)
def test_chinese_characters_count_more_than_others(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


def test_a_prompt_costs_its_texts_and_six_tokens_a_message() -> None:
    assert count_prompt_tokens(["abcd", "你好吗"], 2) == 1 + 2 + 12


@pytest.mark.parametrize(
    ("text", "chinese"),
    [("", False), ("hello", False), ("café", False), ("a，", True), ("好", True)],
)
def test_a_text_is_chinese_if_any_of_it_is(text: str, *, chinese: bool) -> None:
    assert is_chinese(text) == chinese


@given(text=TEXT, tokens=st.integers(0, 20))
def test_a_cut_is_the_longest_start_within_the_tokens(text: str, tokens: int) -> None:
    start = cut_to_tokens(text, tokens)
    assert text.startswith(start)
    assert count_tokens(start) <= tokens
    assert start == text or count_tokens(text[: len(start) + 1]) > tokens
