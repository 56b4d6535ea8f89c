"""Texts on their way to other programs, which all speak UTF-8."""

from __future__ import annotations


def encodable(text: str) -> str:
    """Return `text` with ? for what UTF-8 cannot hold: half a character, as JSON may name one."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
