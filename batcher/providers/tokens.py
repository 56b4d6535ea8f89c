"""How many tokens a request may have, before anyone has counted them (protocol.md section 10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

_CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
_CJK_PER_TOKEN = 1.5
_OTHER_PER_TOKEN = 4
_PER_MESSAGE = 6


def estimate_tokens(body: Mapping[str, object]) -> int:
    """Return the prompt tokens of a request body by the documented ratio; usage tells the truth.

    Only text is counted; what an image or a tool definition costs is not documented.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return 0
    text = "".join(piece for message in messages for piece in _texts(message))
    cjk = len(_CJK.findall(text))
    other = len(text) - cjk
    return round(cjk / _CJK_PER_TOKEN + other / _OTHER_PER_TOKEN) + _PER_MESSAGE * len(messages)


def _texts(message: Mapping[str, object]) -> Iterator[str]:
    content = message.get("content")
    parts = [{"text": content}] if isinstance(content, str) else content
    for part in parts if isinstance(parts, Sequence) else ():
        text = part.get("text") if isinstance(part, Mapping) else None
        if isinstance(text, str):
            yield text
