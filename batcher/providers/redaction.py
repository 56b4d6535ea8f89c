"""Keeping secrets out of what is written: a provider may echo the key.

reliability.md promise 12.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from batcher.errors import Problem
from batcher.records import Completion

MASK = "[redacted]"
# A shorter secret may be a word that answers hold, such as the key `EMPTY` of a local server.
SHORTEST = 12
# As much of a secret at the end of a text is no chance, but a text that was cut there.
SHORTEST_CUT = 8
_CUT_MARK = "…"

Redact = Callable[[str], str]
Told = TypeVar("Told", Completion, Problem)
_NAMES = {told: tuple(field.name for field in fields(told)) for told in (Completion, Problem)}


class Redaction:
    """Replaces secrets, and the start of one on which a text ends, by a mask."""

    __slots__ = ("_secrets", "_starts", "_tokens")

    def __init__(self, secrets: Iterable[str], tokens: Sequence[str] = ()) -> None:
        """Know `secrets`, and all tokens that begin as `tokens` do: any two that were signed."""
        start = os.path.commonprefix(tokens)  # noqa: RUF071 -- of characters, not of paths
        known = {secret for secret in (*secrets, start) if len(secret) >= SHORTEST}
        # Whatever is masked begins as one of these; most texts hold none of them.
        self._starts = {secret[:SHORTEST_CUT] for secret in (*known, start) if secret}
        # The longest first: a half must not spoil its whole.
        self._secrets = sorted(known, key=len, reverse=True)
        self._tokens = re.compile(rf"{re.escape(start)}[\w.-]*") if start else None

    def __repr__(self) -> str:
        return "Redaction(...)"

    def __call__(self, text: str) -> str:
        """Return `text` without any secret."""
        if not any(start in text for start in self._starts):
            return text
        if self._tokens is not None:
            text = self._tokens.sub(MASK, text)
        # First, for of a key that was cut in its second half the first is whole.
        text = self._without_cut(text)
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def _without_cut(self, text: str) -> str:
        end = text.removesuffix(_CUT_MARK)
        for secret in self._secrets:
            start = secret[:SHORTEST_CUT]
            at = end.find(start, max(0, len(end) - len(secret)))
            while at >= 0:
                if secret.startswith(end[at:]):
                    return end[:at] + MASK
                at = end.find(start, at + 1)
        return text


def redacted(told: Told, redact: Redact) -> Told:
    """Return what a provider told with every text of it redacted."""
    changed: dict[str, Any] = {}
    for name in _NAMES[type(told)]:
        text = getattr(told, name)
        # Exactly str: the class of a problem is a word of ours.
        if type(text) is str and (clean := redact(text)) != text:
            changed[name] = clean
    return replace(told, **changed) if changed else told
