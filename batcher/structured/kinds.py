"""The kinds of columns that the values of a JSON Schema fill, and values brought into shape.

A kind is chosen only where every valid value is of it: `type` says so, or the values of an `enum`.
Everything else is kept as JSON text, which holds any value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

Schema = Mapping[str, Any]
Resolve = Callable[[str], Any]
"""Returns what a local `$ref` names."""

INT64 = range(-(2**63), 2**63)


class Plain(Enum):
    """Kinds without parts; `JSON` is any value, kept as its text."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items are all of one kind."""

    item: Kind


@dataclass(frozen=True, slots=True)
class StructOf:
    """An object with known fields, in the order of the schema; any may be absent."""

    fields: tuple[tuple[str, Kind], ...]


Kind = Plain | ListOf | StructOf

_PLAIN = {
    "string": Plain.TEXT,
    "integer": Plain.INTEGER,
    "number": Plain.NUMBER,
    "boolean": Plain.BOOLEAN,
}
_BY_PYTHON_TYPE = {str: Plain.TEXT, int: Plain.INTEGER, float: Plain.NUMBER, bool: Plain.BOOLEAN}


def kind_of(
    schema: Any,  # noqa: ANN401 # whatever stands where a schema should
    resolve: Resolve,
    within: frozenset[str] = frozenset(),
) -> Kind | None:
    """Return the kind of the values of `schema`; None where null is the only one.

    `within` are the references that are being followed: one that comes again is a recursion,
    which has no plain type.
    """
    match schema:
        case {"$ref": str() as reference}:
            if reference in within:
                return Plain.JSON
            return kind_of(resolve(reference), resolve, within | {reference})
        case {"const": value}:
            kinds = [_of_value(value)]
        case {"enum": values}:
            kinds = [_of_value(value) for value in values]
        case {"anyOf": parts} | {"oneOf": parts} | {"allOf": [_] as parts}:
            # allOf with one part: a reference, and a description beside it.
            kinds = [kind_of(part, resolve, within) for part in parts]
        case {"type": str() as name}:
            kinds = [_of_type(name, schema, resolve, within)]
        case {"type": names}:
            kinds = [_of_type(name, schema, resolve, within) for name in names]
        case _:
            kinds = [Plain.JSON]
    return _common(kinds)


def _of_type(name: str, schema: Schema, resolve: Resolve, within: frozenset[str]) -> Kind | None:
    match name, schema:
        case "null", _:
            return None
        case "array", {"items": Mapping() as items} if "prefixItems" not in schema:
            item = kind_of(items, resolve, within)
            return Plain.JSON if item is None else ListOf(item)
        # What an object may hold beside its named fields would be lost in a struct.
        case "object", {"properties": {**named}} if named and not schema.get(
            "additionalProperties"
        ):
            return StructOf(fields_of(schema, resolve, within))
        case _:
            return _PLAIN.get(name, Plain.JSON)


def fields_of(
    schema: Schema, resolve: Resolve, within: frozenset[str] = frozenset()
) -> tuple[tuple[str, Kind], ...]:
    """Return the named fields of an object's schema, in its order."""
    return tuple(
        (name, kind_of(part, resolve, within) or Plain.JSON)
        for name, part in schema["properties"].items()
    )


def _of_value(value: object) -> Kind | None:
    return None if value is None else _BY_PYTHON_TYPE.get(type(value), Plain.JSON)


def _common(kinds: Sequence[Kind | None]) -> Kind | None:
    """Return the one kind of several alternatives, null aside."""
    found = {kind for kind in kinds if kind is not None}
    if not found:
        return None
    if found == {Plain.INTEGER, Plain.NUMBER}:
        return Plain.NUMBER
    return found.pop() if len(found) == 1 else Plain.JSON


class MisfitError(Exception):
    """A value that its column cannot hold; the message says why, `path` where."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


def shaped(value: object, kind: Kind, path: str = "") -> object:
    """Return `value` with the keys of its objects in the kind's order, unknown ones last.

    Whole numbers of an integer column are integers, also those that were written as 1.0.

    Raises:
        MisfitError: the column cannot hold it.
    """
    match kind, value:
        case StructOf(fields), dict():
            known = {
                name: shaped(value[name], part, f"{path}.{name}" if path else name)
                for name, part in fields
                if name in value
            }
            return known | {name: item for name, item in value.items() if name not in known}
        case ListOf(item), list():
            return [shaped(part, item, f"{path}[{at}]") for at, part in enumerate(value)]
        case Plain.INTEGER, float() if value.is_integer():
            if int(value) not in INT64:
                raise MisfitError(path, "must fit into 64 bits")
            return int(value)
        case _:
            return value
