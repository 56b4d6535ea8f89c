"""The JSON objects in the text of an answer: alone, in a fence, or with words around them.

Nothing is guessed. What is no JSON is read by the grammar of JSON5 (a comma too many, single
quotes, comments), which has one meaning or none; a repairing parser would also close what was cut
off, take the last of two answers, or make 12 of "12 apples", and nobody could tell.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from batcher.structured.kinds import INT64

# An opening brace that begins an object of JSON or JSON5, and no {placeholder} of a sentence.
_START = re.compile(r"""\{(?=\s*(?:["'}“”‘’]|//|/\*|[^\W\d][\w$]*\s*[:：]))""")
_THINK, _THOUGHT = "<think>", "</think>"
# Its parser takes 0.1 ms a character, in which the run does nothing else.
_RELAXED_CHARACTERS = 4000
_MOST_OBJECTS = 100
_MOST_LEVELS = 50
# They are validated one by one, 10 microseconds each, in which the run does nothing else.
_MOST_VALUES = 100_000
# Digits that an integer of 64 bits can have.
_MOST_DIGITS = 19
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = frozenset("\"'\\/bfnrtu\n")
_SHOWN = 40


class InvalidAnswerError(Exception):
    """An answer without the value that the job wants; the message is written for the model."""


def objects_in(text: str) -> list[dict[str, Any]]:
    """Return the outermost objects of an answer, at least one.

    Raises:
        InvalidAnswerError: there is none, one is cut off or broken, or holds what no column can.
    """
    try:
        found = list(_found(text.strip().removeprefix("\ufeff")))
        for value in found:
            _check(value)
    except RecursionError:
        raise InvalidAnswerError(_TOO_DEEP) from None
    if not found:
        raise InvalidAnswerError("The answer holds no JSON object. Answer with one, and only it.")
    return found


def _found(text: str) -> Iterator[dict[str, Any]]:
    try:
        whole = _STRICT.decode(text)
    except json.JSONDecodeError:
        yield from _scanned(_behind_thoughts(text))
        return
    if not isinstance(whole, dict):
        raise InvalidAnswerError(
            f"The answer is {_NAMES[type(whole)]}, not a JSON object. Answer with one object."
        )
    yield whole


def _scanned(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects in the order of the text; one within another is a part of it."""
    start = _START.search(text)
    for _ in range(_MOST_OBJECTS):
        if start is None:
            return
        value, end = _object_at(text, start.start())
        yield value
        start = _START.search(text, end)
    raise InvalidAnswerError("The answer holds very many JSON objects. Answer with one.")


def _object_at(text: str, start: int) -> tuple[dict[str, Any], int]:
    """Return the object that begins at `start`, and where it ends.

    Raises:
        InvalidAnswerError: it does not end, or is no JSON. Objects within it are not looked for:
            a part of a broken answer is not the answer.
    """
    value: dict[str, Any]
    try:
        value, end = _STRICT.raw_decode(text, start)
    except json.JSONDecodeError as error:
        if error.pos >= len(text) or error.msg.startswith("Unterminated string"):
            raise InvalidAnswerError(
                "The answer ends before its JSON object is complete. Answer with the whole object."
            ) from None
        relaxed = _relaxed(text[start : start + _RELAXED_CHARACTERS])
        if relaxed is None:
            near = text[max(0, error.pos - _SHOWN // 2) : error.pos + _SHOWN // 2]
            raise InvalidAnswerError(
                f"The answer is not valid JSON: {error.msg} near {near!r}."
            ) from None
        value, length = relaxed
        end = start + length
    return value, end


def _relaxed(text: str) -> tuple[dict[str, Any], int] | None:
    """Read the object that `text` begins with as JSON5; None where it is none either."""
    import json5

    try:
        value, _, end = json5.parse(
            text,
            parse_float=_finite,
            parse_int=_whole,
            parse_constant=_refuse,
            object_pairs_hook=_object,
            strict=False,
            consume_trailing=False,
        )
    except (ValueError, RecursionError):
        return None
    # JSON5 drops the backslash of an escape that it does not know, and \alpha becomes alpha.
    if not isinstance(value, dict) or not _ESCAPED.issuperset(_ESCAPE.findall(text[:end])):
        return None
    return value, end


def _behind_thoughts(text: str) -> str:
    """Return the part behind what a server did not part from the answer: <think>...</think>.

    The tag that opens it may stand in the prompt.
    """
    _, closed, answer = text.rpartition(_THOUGHT)
    if not closed and text.startswith(_THINK):
        raise InvalidAnswerError("The answer ends within <think>. Answer with a JSON object.")
    return answer


def _check(value: dict[str, Any]) -> None:
    """Refuse what JSON can say and no column can hold, or nobody could check in time.

    Raises:
        InvalidAnswerError: half a surrogate pair, too many levels, or too many values.
    """
    left: list[tuple[object, int]] = [(value, 1)]
    checked = 0
    while left:
        item, level = left.pop()
        checked += 1
        if checked + len(left) > _MOST_VALUES:
            raise InvalidAnswerError("The answer holds very many values. Answer with fewer.")
        if level > _MOST_LEVELS:
            raise InvalidAnswerError(_TOO_DEEP)
        match item:
            case str():
                _check_text(item)
            case dict():
                left += [(part, level + 1) for part in item.values()]
                for key in item:
                    _check_text(key)
            case list():
                left += [(part, level + 1) for part in item]
            case _:
                pass


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidAnswerError(
            r"The answer holds half of a character (a lone \ud800 to \udfff). Write it whole."
        ) from None


_TOO_DEEP = f"The answer is nested more than {_MOST_LEVELS} levels deep."


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    items = list(pairs)
    value = dict(items)
    if len(value) < len(items):
        keys = [key for key, _ in items]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidAnswerError(f"The key {twice[:_SHOWN]!r} stands twice in one object.")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InvalidAnswerError(f"The number {digits[:_SHOWN]} is out of range.")
    return number


def _whole(digits: str, base: int = 10) -> int:
    if len(digits.lstrip("-+")) <= _MOST_DIGITS and (number := int(digits, base)) in INT64:
        return number
    raise InvalidAnswerError(f"The number {digits[:_SHOWN]} does not fit into 64 bits.")


def _refuse(constant: str) -> float:
    raise InvalidAnswerError(f"{constant} is no JSON value. Write a number or null.")


# Line breaks within a string, which JSON wants escaped, are taken as they are.
_STRICT = json.JSONDecoder(
    strict=False,
    object_pairs_hook=_object,
    parse_float=_finite,
    parse_int=_whole,
    parse_constant=_refuse,
)
_NAMES = {
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    type(None): "null",
}
