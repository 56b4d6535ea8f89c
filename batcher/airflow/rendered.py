"""Options as templates left them: a template makes text, also where a number is meant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast, get_args, get_type_hints

from batcher.api.options import Options

_PLAIN = (int, float, bool)


def as_meant(options: Mapping[str, Any]) -> Options:
    """Return `options` with numbers, true, false and None where they take these, and not any text.

    A shard is a pair of numbers, or a text as `--shard` takes it. What is none of this stays as it
    is, for the run to refuse it by its name.
    """
    return cast("Options", {name: _as_meant(name, value) for name, value in options.items()})


def _as_meant(name: str, value: object) -> object:
    if name == "shard":
        return _shard(value)
    if not isinstance(value, str) or name not in _READ:
        return value
    text = value.strip().lower()
    try:
        read = json.loads("null" if text == "none" else text)
    except ValueError:
        return value
    return read if read is None or isinstance(read, _PLAIN) else value


def _shard(value: object) -> object:
    parts = value.split("/") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    texts = [str(part).strip() for part in parts]
    return tuple(map(int, texts)) if all(map(str.isdecimal, texts)) else value


def _kinds(hint: Any) -> set[object]:  # noqa: ANN401 # a type, or what stands for several
    return set(get_args(hint)) or {hint}


# `allow_errors` takes 5 and "5%": there text is right already.
_READ = frozenset(
    name
    for name, hint in get_type_hints(Options).items()
    if _kinds(hint) & set(_PLAIN) and str not in _kinds(hint)
)
