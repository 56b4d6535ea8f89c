"""How models spoil JSON: answers that hold no valid object, and valid ones that stand untidily."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from batcher.providers.tokens import is_chinese
from batcher.simulator.chances import draw_chances
from batcher.simulator.instances import Schema, resolved, to_json, types_of

_UNSURE = ("unsure", "mixed", "n/a")
_IN_WORDS = "about seven"
_EXCUSE = {True: "抱歉，我无法确定答案。", False: "I am sorry, but I cannot tell."}
_AROUND = {
    True: ("好的，结果如下：\n{}", "{}\n\n以上是我的判断，希望对您有帮助。"),
    False: ("Sure! Here is the result:\n{}", "{}\n\nLet me know if you need anything else."),
}
_FENCE = "```json\n{}\n```"


def broken(value: object, schema: Schema | None, chance: float) -> str:
    """Return a text that holds no valid instance of `schema`, however kindly it is read.

    A key is missing, an enum has a value of its own, a number stands in words, the end is cut off,
    or there are only words; now and then with single quotes, a comma too many, fences or prose on
    top. Without a schema it is cut off or only words.
    """
    chances = draw_chances(int(chance * 2**62), "broken")
    ways: list[Callable[[], str]] = [partial(_excuse, value)]
    if isinstance(value, Mapping):
        ways.append(partial(_cut, value, schema or {}, chances.split))
        ways += [
            partial(_carelessly, spoiled, chances.opening)
            for spoiled in _wrong_values(value, schema or {})
        ]
    text = ways[int(chances.wording * len(ways))]()
    return untidy(text, chances.score) if chances.tool < 0.25 else text  # noqa: PLR2004 -- some


def untidy(text: str, chance: float) -> str:
    """Return a text within a fence, prose or both; a tolerant reader finds it in there."""
    before, behind = _AROUND[is_chinese(text)]
    fenced = _FENCE.format(text)
    ways = (fenced, before.format(text), behind.format(fenced), before.format(fenced))
    return ways[int(chance * len(ways))]


def _wrong_values(value: Mapping[str, object], schema: Schema) -> list[Mapping[str, object]]:
    """Return the value with each slip that its schema forbids."""
    root, schema = schema, resolved(schema, schema)
    required, properties = schema.get("required"), schema.get("properties")
    slips: list[Mapping[str, object]] = []
    if isinstance(required, list):
        slips += [
            {name: kept for name, kept in value.items() if name != gone}
            for gone in required
            if gone in value
        ]
    if isinstance(properties, Mapping):
        for name, right in value.items():
            wrong = _wrong_value(resolved(properties.get(name), root), right)
            if wrong is not None:
                slips.append({**value, name: wrong})
    return slips


def _wrong_value(schema: Schema, right: object) -> str | None:
    """Return a value of its own for an enum, and words for a number; None for what takes texts."""
    choices = schema.get("enum")
    if isinstance(choices, list):
        return next(text for text in (*_UNSURE, f"{right} or not") if text not in choices)
    # Bounds alone forbid no text: a schema that names no type takes what they do not speak of.
    types = types_of(schema) if "type" in schema else None
    if types and {"number", "integer", "null"}.issuperset(types):
        return _IN_WORDS
    return None


def _carelessly(value: Mapping[str, object], chance: float) -> str:
    """Write an object as JSON, or with single quotes, or with a comma too many."""
    text = to_json(value)
    if chance < 0.2:  # noqa: PLR2004 -- some
        return str(value)
    return text[:-1] + ",}" if chance < 0.4 and value else text  # noqa: PLR2004 -- some


def _cut(value: Mapping[str, object], schema: Schema, chance: float) -> str:
    """Cut an object off before the last of its keys that must be there."""
    names = list(value)
    required = resolved(schema, schema).get("required")
    needed = [name for name in names if isinstance(required, list) and name in required] or names
    before = names[: names.index(needed[-1])] if needed else []
    kept = len(to_json({name: value[name] for name in before}))
    return to_json(value)[: 1 + int(chance * (kept - 1))]


def _excuse(value: object) -> str:
    return _EXCUSE[is_chinese(to_json(value))]
