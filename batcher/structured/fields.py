"""The short form of a schema: `label = ["pos", "neg"]`, `score = "number"`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batcher.errors import ConfigurationError

_TYPES = ("string", "integer", "number", "boolean")
_WAYS = (
    f"write one of {', '.join(_TYPES)} (? behind it allows null, [] makes a list of it), a list of "
    'choices such as ["pos", "neg"], a table of fields, or a list of one such table'
)


def schema_of(fields: Mapping[str, object], where: str = "[output.fields]") -> dict[str, Any]:
    """Return the JSON Schema of an object with exactly these fields.

    Raises:
        ConfigurationError: there is none, or one is written wrong; the message names it.
    """
    if not fields:
        raise ConfigurationError(f"{where} names no field; {_WAYS}")
    return {
        "type": "object",
        "properties": {name: _property(form, f"{where} {name}") for name, form in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def _property(form: object, where: str) -> dict[str, Any]:
    match form:
        case str():
            return _typed(form, form, where)
        case [Mapping() as fields]:
            return {"type": "array", "items": schema_of(fields, f"{where}[]")}
        case [_, *_]:
            return _choices(form, where)
        case Mapping():
            return schema_of(form, where)
        case _:
            raise ConfigurationError(f"{where} = {form!r}: {_WAYS}")


def _typed(form: str, whole: str, where: str) -> dict[str, Any]:
    if form.endswith("[]"):
        return {"type": "array", "items": _typed(form.removesuffix("[]"), whole, where)}
    if form.endswith("?"):
        below = _typed(form.removesuffix("?"), whole, where)
        if isinstance(below["type"], str):
            return below | {"type": [below["type"], "null"]}
    elif form in _TYPES:
        return {"type": form}
    raise ConfigurationError(f"{where} = {whole!r}: {_WAYS}")


def _choices(values: Sequence[object], where: str) -> dict[str, Any]:
    kinds = {type(value) for value in values}
    if kinds == {str}:
        kind = "string"
    elif kinds == {int}:
        kind = "integer"
    else:
        raise ConfigurationError(
            f"{where} = {values!r}: choices are all texts, or all whole numbers"
        )
    if len(set(values)) < len(values):
        raise ConfigurationError(f"{where} = {values!r}: a choice stands there twice")
    return {"type": kind, "enum": list(values)}
