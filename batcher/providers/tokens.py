"""How many tokens a request may have, before anyone has counted them (protocol.md section 10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import ceil

_CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]+")
_CJK_PER_TOKEN = 1.5
_OTHER_PER_TOKEN = 4
PER_MESSAGE = 6
"""Tokens that each message costs beside its text."""


def is_chinese(text: str) -> bool:
    """Tell whether a text holds Chinese (or other CJK) characters."""
    return not text.isascii() and _CJK.search(text) is not None


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text: CJK characters / 1.5 + other characters / 4, rounded up."""
    cjk = 0 if text.isascii() else sum(map(len, _CJK.findall(text)))
    return ceil(cjk / _CJK_PER_TOKEN + (len(text) - cjk) / _OTHER_PER_TOKEN)


def estimate_tokens(body: Mapping[str, object]) -> int:
    """Return the prompt tokens of a request body by the documented ratio; usage tells the truth.

    Only text is counted; what an image or a tool definition costs is not documented.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return 0
    texts = (piece for message in messages for piece in _texts(message))
    return sum(map(count_tokens, texts)) + PER_MESSAGE * len(messages)


def _texts(message: Mapping[str, object]) -> Iterator[str]:
    content = message.get("content")
    parts = [{"text": content}] if isinstance(content, str) else content
    for part in parts if isinstance(parts, Sequence) else ():
        text = part.get("text") if isinstance(part, Mapping) else None
        if isinstance(text, str):
            yield text
