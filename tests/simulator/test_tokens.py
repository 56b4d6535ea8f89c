"""The estimate of tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batcher.providers.tokens import count_tokens
from batcher.simulator.tokens import count_prompt_tokens, cut_to_tokens

TEXT = st.text(st.sampled_from("ab 你好，𠀀한あ\u00e9\U0001f600"))


def test_a_prompt_costs_its_texts_and_six_tokens_a_message() -> None:
    assert count_prompt_tokens(["abcd", "你好吗"], 2) == 1 + 2 + 12


@given(text=TEXT, tokens=st.integers(0, 20))
def test_a_cut_is_the_longest_start_within_the_tokens(text: str, tokens: int) -> None:
    start = cut_to_tokens(text, tokens)
    assert text.startswith(start)
    assert count_tokens(start) <= tokens
    assert start == text or count_tokens(text[: len(start) + 1]) > tokens
