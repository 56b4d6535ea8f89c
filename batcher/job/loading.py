"""A TOML file and flags become a job; a flag given on the command line wins over the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from batcher.errors import ConfigurationError
from batcher.explanation import Tables, explain
from batcher.job.spec import RESERVED_PARAMETERS, TABLES, JobSpec, PriceSpec


def load_job(
    source: Path | Mapping[str, Any] | None,
    flags: Mapping[str, Any],
    where: str = "the command line",
) -> JobSpec:
    """Read the job file, or take its tables as they are, lay the flags over, validate the whole.

    `flags` has the shape of the file (nested tables); relative paths of the file, and templates
    named `@file`, are read from the file's own folder, others from the working directory.
    A flag that is None takes the file's value away. `where` is what wrong flags are blamed on.

    Raises:
        ConfigurationError: the file cannot be read, or a key or value is wrong; the message
            names the file and, for an unknown key, the nearest known one.
    """
    tables: Mapping[str, Any] = source if isinstance(source, Mapping) else {}
    folder = Path()
    if isinstance(source, Path):
        where, folder, tables = str(source), source.parent, _read_toml(source)
    merged = _merge(_anchored(tables, folder), _anchored(flags, Path()))
    try:
        job = msgspec.convert(merged, JobSpec)
    except msgspec.ValidationError as error:
        said = explain(str(error), merged, Tables(JobSpec, TABLES, {"prices": PriceSpec}))
        raise ConfigurationError(f"{where}: {said}") from None
    job = _with_first_model(job, where, given=flags.get("provider", {}).get("model"))
    for name, value in job.parameters.items():
        if name in RESERVED_PARAMETERS:
            raise ConfigurationError(
                f"{where}: the parameter `{name}` cannot be set: {RESERVED_PARAMETERS[name]}"
            )
        if not _is_json(value):
            raise ConfigurationError(
                f"{where}: the parameter `{name}` is {value!r}, which is no JSON; "
                "write a number, text, true, false, a list or a table"
            )
    if len(currencies := {price.currency for price in job.prices.values()}) > 1:
        raise ConfigurationError(
            f"{where}: [prices] are in {' and '.join(sorted(currencies))}; "
            "a run counts its cost in one currency, so write all in the same"
        )
    return job


def _with_first_model(job: JobSpec, where: str, given: object) -> JobSpec:
    """Let `model` be the first of `models`; one that is `given` as a flag stands alone."""
    provider = job.provider
    if provider.models and given not in (None, provider.models[0]):
        provider = msgspec.structs.replace(provider, models=(), fallback_on=())
    elif provider.models and provider.model in (None, provider.models[0]):
        provider = msgspec.structs.replace(provider, model=provider.models[0])
    elif provider.models:
        raise ConfigurationError(
            f"{where}: [provider] model = {provider.model!r} is not the first of models; "
            "leave one of the two out"
        )
    if (len(provider.models) > 1) != bool(provider.fallback_on):
        raise ConfigurationError(
            f"{where}: [provider] models and fallback_on go together: more than one model, and "
            'the errors on which the next is asked, such as ["overloaded", "content_filtered"]'
        )
    return msgspec.structs.replace(job, provider=provider)


def _is_json(value: object) -> bool:
    """Whether JSON can hold `value`: no date, no NaN, no text that is not Unicode."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError):
        return False
    return True


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        tables: dict[str, Any] = msgspec.toml.decode(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the job file {path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the job file {path} is not TOML: {error}") from None
    return tables


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the keys of each table of `above` over those of `below`."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name, {})
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            laid = {**under, **value}
            merged[name] = {key: item for key, item in laid.items() if item is not None}
        else:
            merged[name] = value
    return merged


def _anchored(tables: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Resolve the paths in `tables` against `folder`, and replace `@file` by the file's text."""
    anchored = dict(tables)
    prompt = anchored.get("prompt")
    if isinstance(prompt, Mapping):
        anchored["prompt"] = {
            key: _template(value, folder) if key in _TEMPLATES else value
            for key, value in prompt.items()
        }
    inputs = anchored.get("input")
    if isinstance(inputs, list):
        anchored["input"] = [
            str(folder / name) if isinstance(name, str) and name != "-" else name for name in inputs
        ]
    for table, key in (("provider", "api_key_file"), ("output", "directory")):
        content = anchored.get(table)
        if isinstance(content, Mapping) and isinstance(content.get(key), str):
            anchored[table] = {**content, key: str(folder / content[key])}
    return anchored


def _template(value: object, folder: Path) -> object:
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    if value == "@":
        raise ConfigurationError("the template `@` names no file; write @FILE, or the text itself")
    path = folder / value[1:]
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot read the template {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the template {path} is not UTF-8: {error}") from None


_TEMPLATES = ("template", "system_template")
