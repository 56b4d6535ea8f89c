"""One line of JSON, read strictly: an object that means one thing, or the reason why not."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from batcher.errors import ErrorClass, RowError

# Deeper rows are refused here, where the answer does not depend on the depth of our own calls.
MAX_DEPTH = 100

_decode = msgspec.json.Decoder().decode
# A quote that may end a key: an escaped one, after a single backslash, belongs to the text.
_KEY_END = re.compile(rb'"(?:(?<!\\")|(?<=\\\\"))\s*:')
_NESTED = frozenset({dict, list})
_KINDS = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def parse_object(line: bytes) -> dict[str, Any]:
    """Return the object that `line` holds.

    Raises:
        RowError: it holds none; or numbers, strings or a depth that no program agrees on; or
            the same key twice, so that one of two values would be lost.
    """
    try:
        value = _decode(line)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError:
        raise _invalid("not UTF-8") from None
    except msgspec.DecodeError as error:
        raise _invalid(_reason(line, error)) from None
    if type(value) is not dict:
        raise _invalid(f"{_KINDS.get(type(value), 'a number')}, not a JSON object")
    # Each key costs a colon, and a quote before it; text only adds to either count. So where one
    # count equals the keys that were kept, none was lost. The exact check is the slow one.
    keys = _count_keys(value, 1)
    if line.count(b":") != keys and len(_KEY_END.findall(line)) != keys:
        json.loads(line.decode(), object_pairs_hook=_unique, parse_int=str, parse_float=str)
    return value


def _count_keys(value: dict[str, Any] | list[Any], depth: int) -> int:
    if depth > MAX_DEPTH:
        raise _too_deep()
    items: Any = value
    keys = 0
    if type(value) is dict:
        items = value.values()
        keys = len(value)
    for item in items:
        if type(item) in _NESTED:
            keys += _count_keys(item, depth + 1)
    return keys


def _unique(pairs: list[tuple[str, object]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise _invalid(f"the key {key[:100]!r} stands twice in one object")
        seen.add(key)


def _reason(line: bytes, error: msgspec.DecodeError) -> str:
    """Say what is wrong with a line that msgspec refused."""
    if isinstance(error, msgspec.ValidationError):
        return "a number is too large"
    try:
        json.loads(line.decode(), parse_constant=_refuse_constant, parse_int=str, parse_float=str)
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError):
        return f"not JSON: {str(error).removeprefix('JSON is malformed: ')}"
    # What only Python's own reader takes is half of an escaped pair.
    return "a lone surrogate, which is no character"


def _refuse_constant(name: str) -> None:
    raise _invalid(f"{name} is no JSON")


def _too_deep() -> RowError:
    return _invalid(f"nested more than {MAX_DEPTH} deep")


def _invalid(reason: str) -> RowError:
    return RowError(ErrorClass.INVALID_ROW, reason)
