"""The estimate of tokens (protocol.md section 10), and cutting a text to a number of them."""

from __future__ import annotations

import re
from math import ceil

_CJK_CHARACTERS = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_CJK = re.compile(f"[{_CJK_CHARACTERS}]+")
_A_MESSAGE = 6


def is_chinese(text: str) -> bool:
    """Tell whether a text holds Chinese (or other CJK) characters."""
    return not text.isascii() and _CJK.search(text) is not None


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text: CJK characters / 1.5 + other characters / 4."""
    if text.isascii():
        return ceil(len(text) / 4)
    cjk = sum(map(len, _CJK.findall(text)))
    return ceil(cjk / 1.5 + (len(text) - cjk) / 4)


def count_prompt_tokens(texts: list[str], messages: int) -> int:
    """Estimate a prompt: its texts, and 6 tokens a message."""
    return sum(map(count_tokens, texts)) + _A_MESSAGE * messages


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
