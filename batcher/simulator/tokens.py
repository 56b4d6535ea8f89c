"""Counting a prompt, and cutting a text to a number of tokens, by the documented estimate."""

from __future__ import annotations

from batcher.providers.tokens import PER_MESSAGE, count_tokens


def count_prompt_tokens(texts: list[str], messages: int) -> int:
    """Estimate a prompt: its texts, and what each message costs."""
    return sum(map(count_tokens, texts)) + PER_MESSAGE * messages


def cut_to_tokens(text: str, tokens: int) -> str:
    """Return the longest start of a text that the estimate puts at no more than `tokens`."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens(text[:middle]) <= tokens:
            low = middle
        else:
            high = middle - 1
    return text[:low]
