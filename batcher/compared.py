"""The outcomes that two runs, A and B, have for the same row, and whether their answers differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from batcher.recorded import Recorded

Values = Mapping[str, str | None]
"""By field, the JSON text of what an answer holds there; None where that is null or nothing."""

RESPONSE = "response"
"""Stands for a field where the answers hold no value of a schema: their whole text."""


class Pair(NamedTuple):
    """A row's outcome in each run; None in at most one of them, which has none."""

    a: Recorded | None
    b: Recorded | None

    @property
    def either(self) -> Recorded:
        """That of A, else that of B."""
        found = self.a or self.b
        assert found is not None  # noqa: S101 -- one of them is there
        return found


class Compared(NamedTuple):
    """A pair, and what differs between its answers.

    Without an answer in both, `changed` is None, and there are no values.
    """

    pair: Pair
    changed: bool | None = None
    changed_fields: Sequence[str] = ()
    a: Values = {}  # noqa: RUF012 -- never changed
    b: Values = {}  # noqa: RUF012 -- never changed


def compare(pair: Pair, fields: Sequence[str]) -> Compared:
    """Compare the answers of a pair: by `fields`, where both hold a value of a schema.

    Else by their text and their tool calls. How JSON is written makes no difference, nor does 1
    for 1.0.
    """
    a, b = pair
    if a is None or b is None or a.error_class is not None or b.error_class is not None:
        return Compared(pair)
    if fields and a.output is not None and b.output is not None:
        of_a, of_b = _values(a.output, fields), _values(b.output, fields)
        changed_fields = [name for name in fields if of_a[name] != of_b[name]]
        return Compared(pair, bool(changed_fields), changed_fields, of_a, of_b)
    changed = (a.response, a.tool_calls) != (b.response, b.tool_calls)
    texts = [{RESPONSE: None if one.response is None else _text(one.response)} for one in (a, b)]
    return Compared(pair, changed, (), *texts)


def _values(output: str, fields: Sequence[str]) -> dict[str, str | None]:
    found = json.loads(output)
    values = found if isinstance(found, dict) else {}
    return {
        name: None if (value := values.get(name)) is None else _text(_plain(value))
        for name in fields
    }


def _plain(value: object) -> object:
    """Return a JSON value whose whole numbers are integers."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return value


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
