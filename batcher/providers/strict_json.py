"""JSON as the standard has it: no NaN, no infinity; lone surrogates are kept."""

from __future__ import annotations

import json
import math

import msgspec


def parse(data: bytes | str) -> object:
    r"""Parse one JSON document.

    msgspec is fast but refuses a lone surrogate (`"\ud800"`, half of a pair that a model cut),
    and with it the whole answer; what it refuses is therefore tried again by the stdlib.

    Raises:
        ValueError: this is not JSON or not UTF-8, a number is beyond all bounds, or the nesting
            is too deep.
    """
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number
