"""Arguments as templates left them: a template makes text, also where a number or None is meant.

In a DAG that renders natively it makes numbers as well, also where text is meant.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast, get_args, get_type_hints

from batcher.api.options import Job, Options
from batcher.job import PLACES

Value = TypeVar("Value")

_NONE = "None"
_PLAIN = (int, float, bool)


def renderable(value: Any) -> Any:  # noqa: ANN401 # or what Airflow resolves
    """Return `value` with paths as texts: these alone are templates to Airflow."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        texts = map(renderable, value)
        return list(texts) if isinstance(value, list) else tuple(texts)
    return value


def or_none(value: Value) -> Value | None:
    """Return None for the text that a template makes of it, all else as it is."""
    return None if isinstance(value, str) and value == _NONE else value


def at_once(values: Value) -> Value:
    """Return a sequence with all that is in it, all else as it is.

    What mapped tasks return is fetched piece by piece by Airflow, and its end is an error in the
    task's log; a slice is fetched at once.
    """
    return cast("Value", values[:]) if isinstance(values, Sequence) else values


def job_as_meant(job: Job | None) -> Job | None:
    """Return the tables of a job as `as_meant` returns options, all else as `or_none` does."""
    if not isinstance(job, Mapping):
        return or_none(job)
    return {name: _table(name, value) for name, value in job.items()}


def as_meant(options: Mapping[str, Any]) -> Options:
    """Return `options` with None, numbers, true, false and text where they take these.

    So are the `parameters`, of those that take plain values; one that is None is left out.
    A shard is a pair of numbers, or a text as `--shard` takes it. What is none of this stays as it
    is, for the run to refuse it by its name.
    """
    return cast("Options", {name: _as_meant(name, value) for name, value in options.items()})


def _as_meant(name: str, value: object) -> object:
    kinds = _KINDS.get(name, frozenset())
    if type(None) in kinds and or_none(value) is None:
        return None
    if name == "shard":
        return _shard(value)
    if name == "parameters" and isinstance(value, Mapping):
        return _parameters(value)
    # `allow_errors` takes 5 and "5%": there each is right already.
    if str in kinds and not kinds & set(_PLAIN):
        return str(value) if type(value) in (int, float) else value
    if isinstance(value, str) and str not in kinds and kinds & set(_PLAIN):
        return _number(value)
    return value


def _table(table: str, given: object) -> object:
    if table == "parameters":
        return _as_meant(table, given)
    if table not in _TABLES or not isinstance(given, Mapping):
        return given
    return _without_none(
        given,
        {
            key: _as_meant(_OPTION.get((table, key)) or str(key), value)
            for key, value in given.items()
        },
    )


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    return _without_none(
        given,
        {
            name: _number(value) if name in _PLAIN_PARAMETERS and isinstance(value, str) else value
            for name, value in given.items()
        },
    )


def _without_none(given: Mapping[str, Any], meant: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is `meant`, less what became None: in a table, that is what nobody gave."""
    return {
        name: value for name, value in meant.items() if value is not None or given[name] is None
    }


def _number(text: str) -> object:
    lower = text.strip().lower()
    try:
        read = json.loads("null" if lower == "none" else lower)
    except ValueError:
        return text
    return read if read is None or isinstance(read, _PLAIN) else text


def _shard(value: object) -> object:
    parts = value.split("/") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    texts = [str(part).strip() for part in parts]
    return tuple(map(int, texts)) if all(map(str.isdecimal, texts)) else value


# Of the parameters that providers document, those whose values are never text.
_PLAIN_PARAMETERS = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "seed", "do_sample", "logprobs"),
        *("top_logprobs", "max_tokens", "max_completion_tokens", "min_tokens", "frequency_penalty"),
        *("presence_penalty", "repetition_penalty", "length_penalty", "parallel_tool_calls"),
        *("tool_stream", "store", "ignore_eos"),
    }
)
_OPTION = {place: str(name) for name, place in PLACES.items()}
_TABLES = frozenset(table for table, _ in _OPTION)
_KINDS = {
    name: frozenset(get_args(hint)) or frozenset([hint])
    for name, hint in get_type_hints(Options).items()
}
