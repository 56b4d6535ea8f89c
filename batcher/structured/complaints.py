"""What is wrong with a value, in words for the model that made it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MOST_CHARACTERS = 500
_MOST_COMPLAINTS = 3
# A long list may be wrong in every item.
_MOST_READ = 20
_SHOWN = 60


def complaint(errors: Iterable[ValidationError]) -> str | None:
    """Return up to three of the errors as one text; None where there is none.

    The first one is always there; others as far as there is room.
    """
    found = [_deepest(error) for error in islice(errors, _MOST_READ)]
    if not found:
        return None
    said = list(dict.fromkeys(f"{_place(error)} {_wrong(error)}." for error in found))
    text = cut(said[0], MOST_CHARACTERS)
    for more in said[1:_MOST_COMPLAINTS]:
        if len(text) + len(more) < MOST_CHARACTERS:
            text = f"{text} {more}"
    return text


def _deepest(error: ValidationError) -> ValidationError:
    """Of alternatives none of which fits, return what is wrong with the likeliest."""
    from jsonschema.exceptions import best_match

    return best_match([error]) or error


def cut(text: str, most: int) -> str:
    """Return `text`, shortened to `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _place(error: ValidationError) -> str:
    """Return where the value stands, such as `aspects[0].name`."""
    path = ""
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return f"`{cut(path, 2 * _SHOWN)}`" if path else "The object"


def _wrong(error: ValidationError) -> str:
    """Say what was expected, and what came in its place."""
    expected: Any = error.validator_value
    instance: Any = error.instance
    value = _shown(instance)
    match error.validator:
        case "enum":
            wrong = f"must be one of {_listed(expected)}, not {value}"
        case "const":
            wrong = f"must be {_shown(expected)}, not {value}"
        case "type":
            types = [expected] if isinstance(expected, str) else expected
            wrong = f"must be of type {' or '.join(types)}, not {value}"
        case "required":
            wrong = f"lacks {_listed(name for name in expected if name not in instance)}"
        case "additionalProperties" if expected is False:
            schema: Any = error.schema
            known = schema.get("properties", {})
            unknown = _listed(name for name in instance if name not in known)
            wrong = f"may only have {_listed(known)}, not {unknown}"
        case "anyOf" | "oneOf":
            wrong = f"must fit what the schema allows there, not {value}"
        case _:
            wrong = f"is {value}, against the schema's {error.validator}: {_shown(expected)}"
    return wrong


def _listed(values: Iterable[object]) -> str:
    return cut(", ".join(map(_shown, values)), 3 * _SHOWN)


def _shown(value: object) -> str:
    return cut(json.dumps(value, ensure_ascii=False), _SHOWN)
