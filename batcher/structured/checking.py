"""A JSON Schema, checked once when a job begins, so that no answer is paid for a wrong one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from batcher.errors import ConfigurationError
from batcher.structured.complaints import complaint
from batcher.structured.kinds import Resolve, Schema

if TYPE_CHECKING:
    from jsonschema.exceptions import SchemaError

_WHERE = "[output] schema"
# Where a schema holds data, which may look like a reference and is none.
_DATA = frozenset({"const", "default", "enum", "examples"})
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# What references within it start from; then they would not lead where they seem to.
_IDS = ("$id", "id")


Validate = Callable[[object], str | None]
"""Says what is wrong with a value, in words for the model; None where nothing is."""


def checked(schema: Schema) -> tuple[Validate, Resolve]:
    """Return what validates the values of `schema`, and what finds its definitions.

    Draft 2020-12, unless `$schema` names another. Known formats, such as date and email, count.

    Raises:
        ConfigurationError: this is no JSON Schema of an object with named properties, or it refers
            to what is not in it; the message names the place.
    """
    import referencing
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import extend
    from referencing.jsonschema import specification_with

    kind = _draft(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ConfigurationError(f"{_WHERE}, {_words(error)}") from None
    if schema.get("type") != "object" or not schema.get("properties"):
        raise ConfigurationError(
            f'{_WHERE}: the value must be an object whose fields are named: "type": "object" and '
            '"properties" at the top of the schema'
        )
    named = schema["properties"].keys()
    if schema.get("additionalProperties") is False and (
        lacking := [name for name in schema.get("required", ()) if name not in named]
    ):
        raise ConfigurationError(
            f"{_WHERE}: {', '.join(map(repr, lacking))} is required, but stands in no property, "
            "and others are not allowed: no answer could be valid"
        )
    resource = specification_with(kind.META_SCHEMA["$schema"]).create_resource(schema)
    # Without a way to retrieve anything: a schema never makes this program go to the network.
    registry: Any = referencing.Registry().with_resource(resource.id() or "", resource)
    resolver = registry.resolver(resource.id() or "")

    def resolve(reference: str) -> Any:  # noqa: ANN401 # whatever stands there
        return resolver.lookup(reference).contents

    for place, keyword, name in _names(schema, "#"):
        if keyword in _IDS:
            raise ConfigurationError(
                f"{_WHERE}, at {place}: a schema within the schema has an address of its own; "
                "take it away"
            )
        try:
            resolve(name)
        except Exception:  # noqa: BLE001 # of as many kinds as there are ways to be unresolvable
            raise ConfigurationError(
                f"{_WHERE}, at {place}: {name!r} is not in the schema. Only what stands in it can "
                "be referred to, as in #/$defs/name; nothing is fetched"
            ) from None
    kind = extend(kind, {"uniqueItems": _unique_items})  # type: ignore[no-untyped-call] # untyped there
    validator: Any = kind(schema, registry=registry, format_checker=kind.FORMAT_CHECKER)
    try:
        validator.is_valid({})
    except RecursionError:
        raise ConfigurationError(f"{_WHERE} refers to itself without an end") from None
    return lambda value: complaint(validator.iter_errors(value)), resolve


def _unique_items(
    validator: Any,  # noqa: ANN401 # as jsonschema calls it
    wanted: object,
    items: object,
    _schema: object,
) -> Iterator[Exception]:
    """Check `uniqueItems` in the time of a sort; jsonschema compares each item with each other."""
    from jsonschema.exceptions import ValidationError

    if wanted and validator.is_type(items, "array") and isinstance(items, list):
        texts = {json.dumps(_plain(item), sort_keys=True) for item in items}
        if len(texts) < len(items):
            yield ValidationError("holds the same item twice")


def _plain(value: object) -> object:
    """Return a value in which numbers that are equal look alike: 1.0 is 1 (and true is not)."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def _names(schema: object, place: str) -> Iterator[tuple[str, str, str]]:
    """Yield the place, keyword and text of each reference in a schema, and of each inner id."""
    if isinstance(schema, Mapping):
        for key, part in schema.items():
            if isinstance(part, str) and (key in _REFERENCES or (key in _IDS and place != "#")):
                yield f"{place}/{key}", key, part
            elif key not in _DATA:
                yield from _names(part, f"{place}/{key}")
    elif isinstance(schema, list):
        for at, part in enumerate(schema):
            yield from _names(part, f"{place}/{at}")


def _draft(schema: Schema) -> Any:  # noqa: ANN401 # a validator's class, of a module loaded late
    from jsonschema.validators import Draft202012Validator, validator_for

    named = schema.get("$schema")
    if named is None:
        return Draft202012Validator
    unknown: Any = object()
    kind: Any = validator_for(dict(schema), default=unknown)
    if kind is unknown:
        raise ConfigurationError(
            f"{_WHERE}: `$schema` is {named!r}, no known draft; leave it out for 2020-12"
        )
    return kind


def _words(error: SchemaError) -> str:
    """Return the place of an error, and jsonschema's own words, or better ones for a type."""
    place = "".join(f"/{part}" for part in error.absolute_path)
    if error.absolute_path and error.absolute_path[-1] == "type":
        return (
            f"at #{place}: {error.instance!r} is no type; there are string, integer, number, "
            "boolean, array, object and null"
        )
    return f"at #{place}: {error.message}"
