"""What is wrong with a job, in the user's words: msgspec knows types, a user knows a TOML file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

import msgspec

from batcher.wording import did_you_mean, nearest

Table = type[msgspec.Struct]

_UNKNOWN = re.compile(
    r"Object contains unknown field `(?P<key>.*?)`(?: - at `\$\.(?P<at>.*)`)?", re.DOTALL
)
# Where msgspec says "one of a mapping's values", but not of which key.
_NAMED = re.compile(r".* - at `\$\.(?P<table>\w+)\[\.\.\.\].*`", re.DOTALL)
# Where it says that of a list's.
_LISTED = re.compile(
    r"(?P<what>.*) - at `\$\.(?P<list>[\w.]+)\[(?P<number>[0-9]+)\](?:\.(?P<key>.*))?`", re.DOTALL
)
# Where a value is of another type than a key has.
_MISTYPED = re.compile(r"Expected `[^`]*`, got `[^`]*`")
# What it says of those, and of values that are too small or too large.
_EXPECTED = re.compile(
    r"Expected `(?P<kinds>[^`]*)`"
    r"(?: (?P<bound>[<>]=?|of length >=) (?P<limit>[-+.e0-9]+?)(?:\.0)?)?"
    r"(?:, got `(?P<got>[^`]*)`)?"
)
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
}
_BOUNDS = {
    ">=": ", at least {}",
    "<=": ", at most {}",
    ">": ", more than {}",
    "of length >=": ", of a length of at least {}",
}
_SHARE = 'not a share such as "1%", at most "100%"'
_WHOLE = 100
_DURATION = 'not a time such as "90s", "30m", "5h" or "1h30m"'
_AMOUNT = 'not an amount and its currency, such as "5.00CNY"'
_ADDRESS = 'not a port such as 9400, or with a host "127.0.0.1:9400"'
_VARIABLE = "not the name of an environment variable, such as SLACK_WEBHOOK"
_PATTERNS = {
    "max_outage": _DURATION,
    "max_duration": _DURATION,
    "outage_after": _DURATION,
    "sync_every": _DURATION,
    "deadline": 'not a time of day such as "06:00"',
    "max_cost": _AMOUNT,
    "cost_over": _AMOUNT,
    "max_error_rate": _SHARE,
    "error_rate_over": _SHARE,
    "metrics_port": _ADDRESS,
    "url_env": _VARIABLE,
    "secret_env": _VARIABLE,
    "allow_errors": 'neither a number of rows nor a share such as "1%", at most "100%"',
    "currency": 'not the three capital letters of a currency, such as "CNY"',
}


@dataclass(frozen=True, slots=True)
class Tables:
    """What a file may hold: `[name]` for each of `single`, `[name."KEY"]` for each of `named`.

    And `[[name]]`, several times, for each of `listed`, whose values are never shown: slips there
    may be secrets.
    """

    root: Table
    single: Mapping[str, Table]
    named: Mapping[str, Table]
    listed: Mapping[str, Table] = field(default_factory=dict)


def explain(message: str, given: Mapping[str, Any], tables: Tables) -> str:
    """Turn msgspec's words on `given` into: `[table] key`, what is wrong, and a suggestion."""
    if named := _NAMED.fullmatch(message):
        return _explain_named(named["table"], given[named["table"]], tables)
    listed = _LISTED.fullmatch(message)
    if listed and listed["list"] in tables.listed:
        return _explain_listed(listed, tables)
    if unknown := _UNKNOWN.fullmatch(message):
        kind = tables.single.get(unknown["at"], tables.root)
        at = unknown["at"]
        return _unknown(unknown["key"], f"[{at}]" if at else "", kind, tables)
    what, at = _parted(message)
    table, _, key = at.partition(".")
    if not key:
        return f"{table}: {_in_words(what)}"
    return _wrong(what, table, key, given[table], tables.single[table])


def _explain_named(name: str, given: Mapping[str, Any], tables: Tables) -> str:
    """Explain what is wrong under the first key that has something wrong."""
    kind = tables.named[name]
    key, message = next(
        (key, message)
        for key, content in given.items()
        if (message := _complaint(content, kind)) is not None
    )
    table = f'{name}."{key}"'
    unknown = _UNKNOWN.fullmatch(message)
    if unknown is None:
        what, inner = _parted(message)
        return (
            _wrong(what, table, inner, given[key], kind)
            if inner
            else f"[{table}]: {_in_words(what)}"
        )
    if isinstance(given[key][unknown["key"]], Mapping):
        whole = f"{key}.{unknown['key']}"
        return f'[{name}.{whole}]: a name with a dot takes quotes, [{name}."{whole}"]'
    return _unknown(unknown["key"], f"[{table}]", kind, tables)


def _explain_listed(found: re.Match[str], tables: Tables) -> str:
    """Explain what is wrong in a table of a list, without its value."""
    kind, table = tables.listed[found["list"]], f"[[{found['list']}]] {int(found['number']) + 1}"
    if unknown := _UNKNOWN.fullmatch(found["what"]):
        return _unknown(unknown["key"], table, kind, tables)
    key = found["key"]
    if key is None:
        return f"{table}: {_in_words(found['what'])}"
    what = found["what"]
    if what.startswith("Invalid enum value"):
        known = _choices(get_type_hints(kind)[key.partition("[")[0]])
        what = f"not one of {', '.join(known)}"
    elif (pattern := _pattern(what, key)) is not None:
        what = pattern
    return f"{table}: {key}: {_in_words(what)}"


def _complaint(content: object, kind: Table) -> str | None:
    try:
        msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _wrong(what: str, table: str, key: str, given: Mapping[str, Any], kind: Table) -> str:
    """Say what is wrong with a key of a table."""
    name = key.partition("[")[0]
    value = given[name]
    if what.startswith("Invalid enum value"):
        known = list(_choices(get_type_hints(kind)[name]))
        values = value if isinstance(value, list) else [value]
        slip = next(str(one) for one in values if one not in known)
        what = f"not one of {', '.join(known)}{did_you_mean(slip, known)}"
    elif (pattern := _pattern(what, name)) is not None:
        is_percent = pattern is _SHARE and type(value) is int and 0 <= value <= _WHOLE
        what = f'{pattern}; write "{value}%"' if is_percent else pattern
    return f"[{table}] {key} = {value!r}: {_in_words(what)}"


def _pattern(what: str, name: str) -> str | None:
    """Say what the text of a key looks like, if that is what is wrong with its value."""
    if name in _PATTERNS and ("matching regex" in what or _MISTYPED.fullmatch(what)):
        return _PATTERNS[name]
    return None


def _choices(hint: object) -> Iterator[str]:
    """Yield the words that a type allows, and `a number` where it allows those."""
    for part in get_args(hint):
        if isinstance(part, str):
            yield part
        elif part is int:
            yield "a number"
        else:
            yield from _choices(part)


def _parted(message: str) -> tuple[str, str]:
    """Part msgspec's message into what is wrong, and where."""
    what, _, at = message.partition(" - at `$.")
    return what, at.removesuffix("`")


def _in_words(what: str) -> str:
    """Put into a user's words what msgspec says of a value."""
    if (found := _EXPECTED.fullmatch(what)) is None:
        return what.replace("Object missing required field", "missing key")
    kinds = [_KINDS.get(kind, kind) for kind in found["kinds"].split(" | ") if kind != "null"]
    bound = _BOUNDS[found["bound"]].format(found["limit"]) if found["bound"] else ""
    got = f", not {_KINDS.get(found['got'], found['got'])}" if found["got"] else ""
    return f"takes {' or '.join(kinds)}{bound}{got}"


def _unknown(key: str, at: str, table: Table, tables: Tables) -> str:
    """Say where an unknown key belongs, or which known one it resembles."""
    known = table.__struct_fields__
    near = nearest(key, known, 0.5)
    home = [name for name, other in tables.single.items() if key in other.__struct_fields__]
    if home:
        hint = f"it belongs under [{home[0]}]"
    elif near:
        hint = f"did you mean `{near}`?"
    else:
        hint = f"known: {', '.join(known)}"
    return f"unknown key `{key}`{f' in {at}' if at else ''}; {hint}"
