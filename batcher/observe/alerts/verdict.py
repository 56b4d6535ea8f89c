"""What a platform's answer to an alert means; pure.

Some say in the body of a 200 that they refuse it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from batcher.job import Shape
from batcher.providers.retry_after import retry_after


class Answer(NamedTuple):
    """An answer: its headers by lower-case names, and the beginning of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Verdict(NamedTuple):
    """Whether an alert was delivered; else `said` says what came instead, in words of ours.

    `again` says whether another try may help, and `after` how many seconds later at the earliest.
    """

    delivered: bool
    said: str
    again: bool = False
    after: float = 0.0


# The keys of the code in a body, 0 where all is well; and the codes after which to try again.
# Feishu's: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot (11232: too often).
# DingTalk's: https://open.dingtalk.com/document/robots/custom-robot-access (130101, 410100: too
# often). WeCom's: https://developer.work.weixin.qq.com/document/path/90313 (45009, 45033: too
# often). -1 is "busy" with both.
_CODES: dict[Shape, tuple[tuple[str, ...], frozenset[int]]] = {
    "feishu": (("code", "StatusCode"), frozenset({11232})),
    "dingtalk": (("errcode",), frozenset({-1, 130101, 410100})),
    "wecom": (("errcode",), frozenset({-1, 45009, 45033})),
}
_TOO_MANY, _TIMEOUT, _OK, _REDIRECT, _REFUSED, _BROKEN = 429, 408, 200, 300, 400, 500


def verdict(shape: Shape, answer: Answer, now: float) -> Verdict:
    """Judge an answer that came `now` (Unix)."""
    status = answer.status
    if _OK <= status < _REDIRECT:
        return _of_body(shape, answer.body)
    if _REDIRECT <= status < _REFUSED:
        return Verdict(delivered=False, said=f"HTTP {status}, a redirect, which is not followed")
    again = status >= _BROKEN or status in (_TOO_MANY, _TIMEOUT)
    after = retry_after(answer.headers, datetime.fromtimestamp(now, UTC)) if again else None
    return Verdict(delivered=False, said=f"HTTP {status}", again=again, after=after or 0.0)


def _of_body(shape: Shape, body: bytes) -> Verdict:
    if shape not in _CODES:
        return Verdict(delivered=True, said="delivered")
    keys, passing = _CODES[shape]
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        values = None
    known = [values[key] for key in keys if key in values] if isinstance(values, dict) else []
    codes = [code for code in known if type(code) is int]
    if not codes:
        return Verdict(delivered=False, said=f"HTTP 200, but not from a bot of {shape}")
    code = next(filter(None, codes), 0)
    if code == 0:
        return Verdict(delivered=True, said="delivered")
    return Verdict(delivered=False, said=f"{keys[0]} {code}", again=code in passing)
