"""Values that a JSON Schema allows: plausible, and always the same for the same chances.

Understood are types, enums and constants, bounds of numbers, strings and arrays, formats, objects,
`$ref` within the schema, `allOf`, `anyOf` and `oneOf`. A `pattern` is met by `examples` only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from batcher.providers.tokens import is_chinese
from batcher.simulator.chances import Chances, draw_chances
from batcher.simulator.phrases import chosen_label, sentences, topic

Schema = Mapping[str, object]

# Beyond it nothing is said that need not be, so that a schema that names itself comes to an end.
_DEEP = 6
_DEEPEST = 24
_NULL_SHARE = 0.125
_MOST_ITEMS = 3
_TRIES = 20

_SHARES = ("score", "confidence", "probability", "share", "置信", "概率", "分")
_TEXTS = ("reason", "summary", "explanation", "comment", "description", "answer", "理由", "摘要")
_YES = "yes"
_FORMATS = {
    "date": "2025-0{digit}-1{digit}",
    "time": "0{digit}:30:00Z",
    "date-time": "2025-0{digit}-1{digit}T0{digit}:30:00Z",
    "email": "user{digit}@example.com",
    "uri": "https://example.com/{digit}",
    "hostname": "host{digit}.example.com",
    "ipv4": "192.0.2.{digit}",
    "uuid": "0000000{digit}-0000-4000-8000-000000000000",
}


def make_instance(schema: object, subject: str, chances: Chances) -> object:
    """Make a value that `schema` allows, on `subject`."""
    return _Maker(schema, subject, chances).value(schema, "", 0)


def resolved(schema: object, root: object) -> Schema:
    """Follow a schema's `$ref`, if it has one; what cannot be followed allows anything."""
    seen = 0
    while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str) and seen < _DEEPEST:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        target = _at(root, str(schema["$ref"]))
        schema = {**target, **beside} if isinstance(target, Mapping) else beside
        seen += 1
    return schema if isinstance(schema, Mapping) else {}


def types_of(schema: Schema) -> list[str]:
    """Return the types a schema names, or the one that its other words are about."""
    match schema.get("type"):
        case str(name):
            return [name]
        case [*names] if names:
            return [str(name) for name in names]
    for word, name in (("properties", "object"), ("items", "array"), ("minimum", "number")):
        if word in schema:
            return [name]
    return []


class _Maker:
    """Makes the values of one schema; each place in it has chances of its own."""

    __slots__ = ("_chinese", "_root", "_seed", "_subject")

    def __init__(self, root: object, subject: str, chances: Chances) -> None:
        self._root = root
        self._subject = subject
        self._chinese = is_chinese(subject)
        self._seed = int(chances.score * 2**62) ^ int(chances.wording * 2**61)

    def value(self, schema: object, path: str, depth: int) -> object:
        if not isinstance(schema, Mapping):
            return None if schema is False or depth else {}
        chances = draw_chances(self._seed, path)
        schema = self._plain(schema, chances, depth)
        for name in ("enum", "examples"):
            choices = schema.get(name)
            if isinstance(choices, list) and choices:
                return self._choice(choices, chances)
        if "const" in schema:
            return schema["const"]
        return self._typed(self._type(schema, chances, depth), schema, path, depth)

    def _typed(self, kind: str, schema: Schema, path: str, depth: int) -> object:
        chances = draw_chances(self._seed, path)
        match kind:
            case "object":
                return self._object(schema, path, depth)
            case "array":
                return self._array(schema, path, depth)
            case "integer" | "number":
                return _number(schema, _name(path), chances.score, whole=kind == "integer")
            case "boolean":
                return chances.score < 0.5  # noqa: PLR2004 -- an even chance
            case "string":
                return self._string(schema, path, chances)
            case _:
                return None

    def _plain(self, schema: Schema, chances: Chances, depth: int) -> Schema:
        """Return a schema without references and choices: one of those it allows."""
        schema = resolved(schema, self._root)
        if depth > _DEEPEST:
            return schema
        parts = [self._plain(part, chances, depth + 1) for part in _schemas(schema.get("allOf"))]
        parts += [
            self._plain(self._option(options, chances, depth), chances, depth + 1)
            for word in ("anyOf", "oneOf")
            if (options := _schemas(schema.get(word)))
        ]
        for part in parts:
            schema = _joined(schema, part)
        return schema

    def _option(self, options: list[Schema], chances: Chances, depth: int) -> Schema:
        null = [option for option in options if option.get("type") == "null"]
        others = [option for option in options if option.get("type") != "null"]
        if null and (not others or depth >= _DEEP or chances.split < _NULL_SHARE):
            return null[0]
        return others[0 if depth >= _DEEP else int(chances.tool * len(others))]

    def _type(self, schema: Schema, chances: Chances, depth: int) -> str:
        types = types_of(schema) or ["string" if depth else "object"]
        others = [name for name in types if name != "null"]
        if not others or (len(others) < len(types) and chances.split < _NULL_SHARE):
            return "null"
        return others[0]

    def _choice(self, choices: Sequence[object], chances: Chances) -> object:
        """Choose a label by the words of the subject, or one that it names, or any."""
        texts = [choice for choice in choices if isinstance(choice, str)]
        if len(texts) == len(choices):
            named = [text for text in texts if text and text.lower() in self._subject.lower()]
            label = chosen_label(texts, self._subject, chances.wording)
            if label or len(named) == 1:
                return label or named[0]
        return choices[int(chances.wording * len(choices))]

    def _object(self, schema: Schema, path: str, depth: int) -> dict[str, object]:
        properties = schema.get("properties")
        known = properties if isinstance(properties, Mapping) else {}
        required = schema.get("required")
        names = required if isinstance(required, list) else []
        if depth >= _DEEPEST:
            return {}
        wanted = [name for name in known if depth < _DEEP or name in names]
        wanted += [name for name in names if name not in known]
        return {
            name: self.value(known.get(name, {"type": "string"}), f"{path}/{name}", depth + 1)
            for name in wanted
        }

    def _array(self, schema: Schema, path: str, depth: int) -> list[object]:
        fewest = int(_bound(schema, "minItems") or 0)
        most = _bound(schema, "maxItems")
        chance = draw_chances(self._seed, path).score
        count = max(fewest, 0 if depth >= _DEEP else 1 + int(chance * _MOST_ITEMS))
        count = count if most is None else min(count, int(most))
        first = schema.get("prefixItems")
        firsts = first if isinstance(first, list) else []
        unique = schema.get("uniqueItems") is True
        items: list[object] = []
        for number in range(count + _TRIES * (1 + fewest)):
            if len(items) == count:
                break
            place = firsts[len(items)] if len(items) < len(firsts) else schema.get("items", True)
            kind = {"type": "string"} if place is True else place
            item = self.value(kind, f"{path}[{number}]", depth + 1)
            if not unique or item not in items:
                items.append(item)
        return items

    def _string(self, schema: Schema, path: str, chances: Chances) -> str:
        pattern = _FORMATS.get(str(schema.get("format")))
        if pattern:
            return pattern.format(digit=1 + int(chances.score * 9))
        name = _name(path)
        if any(part in name for part in _TEXTS):
            text = sentences(self._subject, chances, chinese=self._chinese)
        elif path.endswith("]"):
            text = self._word(chances.wording)
        else:
            text = topic(self._subject, chinese=self._chinese)
        text = text or _YES
        fewest, most = int(_bound(schema, "minLength") or 0), _bound(schema, "maxLength")
        if len(text) < fewest:
            text = text * (fewest // len(text) + 1)
        return text if most is None else text[: int(most)]

    def _word(self, chance: float) -> str:
        """Return some word of the subject; of Chinese, two characters that stand together."""
        words = self._subject.split()
        if self._chinese:
            words = [word[at : at + 2] for word in words for at in range(0, len(word), 2)]
        return words[int(chance * len(words))] if words else ""


def _number(schema: Schema, name: str, chance: float, *, whole: bool) -> int | float:
    """Return a number within the bounds of its schema; hundredths, where it may be any."""
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    above, below = _bound(schema, "exclusiveMinimum"), _bound(schema, "exclusiveMaximum")
    usual = Decimal(1 if any(part in name for part in _SHARES) and not whole else 100)
    step = _bound(schema, "multipleOf") or Decimal(1 if whole else "0.01")
    usual = max(usual, 2 * step)
    start = max((b for b in (low, above) if b is not None), default=None)
    end = min((b for b in (high, below) if b is not None), default=None)
    if start is None:
        start = Decimal(0) if end is None or end > 0 else end - usual
    if end is None:
        end = start + usual if start else usual
    least, greatest = math.ceil(start / step), math.floor(end / step)
    least += above is not None and least * step <= above
    greatest -= below is not None and greatest * step >= below
    if least > greatest:  # no step between the bounds
        value = (start + end) / 2
    else:
        value = step * (least + int(chance * (greatest - least + 1)))
    return int(value) if whole else float(value)


def _bound(schema: Schema, name: str) -> Decimal | None:
    value = schema.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return Decimal(str(value))


def _name(path: str) -> str:
    return path.rpartition("/")[2].lower()


def _schemas(value: object) -> list[Schema]:
    return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []


def _joined(one: Schema, other: Schema) -> Schema:
    """Return a schema of the words of both; properties and required ones add up."""
    joined = {**one, **other}
    for name in ("properties", "required"):
        first, second = one.get(name), other.get(name)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            joined[name] = {**first, **second}
        elif isinstance(first, list) and isinstance(second, list):
            joined[name] = list(dict.fromkeys([*first, *second]))
    return joined


def _at(root: object, reference: str) -> object:
    """Return what a JSON pointer names (RFC 6901); None where there is nothing, or elsewhere."""
    if not reference.startswith("#"):
        return None
    for part in _parts(reference[1:]):
        if isinstance(root, Mapping):
            root = root.get(part)
        elif isinstance(root, list) and part.isdigit() and int(part) < len(root):
            root = root[int(part)]
        else:
            return None
    return root


def _parts(pointer: str) -> Iterator[str]:
    for part in pointer.split("/")[1:]:
        yield part.replace("~1", "/").replace("~0", "~")


def to_json(value: object) -> str:
    """Return compact JSON text."""
    return msgspec.json.encode(value).decode()
