"""Texts that others wrote, made fit for a page: they can neither break it nor disguise themselves.

Escaping is the template's own business; this is about what escaping leaves.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

# Control characters but tab and line feed, halves of surrogate pairs and non-characters.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# What turns the direction of the text after it, so that it reads as what it is not.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def cleaned(text: str) -> str:
    """Return `text` without control characters; what turns its direction is named in brackets."""
    text = _UNSHOWABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _SURROGATE.sub("\ufffd", text)
    return _TURNING.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


class Cut(NamedTuple):
    """The start of a text, and how many characters were left out after it."""

    text: str
    left_out: int


def cut(text: str, most: int) -> Cut:
    """Return at most so many characters of `text`."""
    return Cut(text[:most], max(0, len(text) - most))


def first_line(text: str | None, most: int = 160) -> str:
    """Return how a text begins, in one line."""
    # Of a very long text, only the start is looked at.
    line = " ".join((text or "")[: 4 * most].split())
    return line if len(line) <= most else line[: most - 1] + "…"


def as_json(value: object) -> str:
    """Return a value as JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def tidy_json(text: str) -> str:
    """Return a JSON text for people; what is none stays as it is."""
    try:
        return as_json(json.loads(text))
    except (ValueError, RecursionError):
        return text


def data_in_script(value: object) -> str:
    """Return a value as JSON that stands safely in a script element: nothing in it is markup."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.translate(_MARKUP)


_MARKUP = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}
