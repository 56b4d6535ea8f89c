"""A TOML file and flags become a job; a flag given on the command line wins over the file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from batcher.errors import ConfigurationError, UsageError
from batcher.explanation import Tables, explain
from batcher.filesystem import escaped, is_text, not_text
from batcher.job.alerts import AlertsSpec, WebhookSpec, check_alerts, refuse_secrets
from batcher.job.spec import ANY_FOLDER, RESERVED_PARAMETERS, TABLES, JobSpec, PriceSpec
from batcher.job.tools import fault_of_tools, with_tools_read
from batcher.job.urls import PATHS, check_base_url, check_copies, check_urls
from batcher.storage import is_url


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
        if not is_text(str(source)):
            raise UsageError(f"the name of the job file {not_text(str(source))}")
        where, folder, tables = str(source), source.parent, _read_toml(source)
    for given in (tables, flags):
        refuse_secrets(given, where)
    _refuse_broken_text(flags, where)
    return _laid(_anchored(tables, folder), flags, where)


def job_with(remembered: object, flags: Mapping[str, Any], where: str) -> JobSpec:
    """Lay flags over a job that was `remembered` as plain values, and validate the whole.

    `where` says in an error what is wrong.

    Raises:
        ConfigurationError: it is no job of this version, or a flag is wrong.
    """
    if not isinstance(remembered, Mapping):
        raise ConfigurationError(f"{where} is not known; give its command again")
    return _laid(remembered, flags, where)


def plain_job(job: JobSpec) -> dict[str, Any]:
    """Return a job as plain values that mean the same from any working directory."""
    tables: dict[str, Any] = msgspec.to_builtins(job)
    for table, key in PATHS:
        if (path := tables[table][key]) not in (None, ANY_FOLDER):
            tables[table][key] = str(Path(path).absolute())
    tables["input"] = tuple(
        given if given == "-" or is_url(given) else str(Path(given).absolute())
        for given in job.input
    )
    tables["alerts"]["webhooks"] = [
        _with_file(webhook, Path().absolute()) for webhook in tables["alerts"]["webhooks"]
    ]
    return tables


def _laid(tables: Mapping[str, Any], flags: Mapping[str, Any], where: str) -> JobSpec:
    anchored = _anchored(flags, Path())
    if set(_STRUCTURES) & anchored.get("output", {}).keys() and "output" in tables:
        kept = {k: v for k, v in tables["output"].items() if k not in _STRUCTURES}
        tables = {**tables, "output": kept}
    merged = _merge(tables, anchored)
    try:
        job = msgspec.convert(merged, JobSpec)
    except msgspec.ValidationError as error:
        said = explain(str(error), merged, _EXPLAINED)
        raise ConfigurationError(f"{where}: {said}") from None
    # Before anything is made of a job: it is written down, and a secret never is.
    check_base_url(job.provider.base_url or "", f"{where}: --base-url")
    if job.reuse.cache is not None and job.reuse.dedup is False:
        raise ConfigurationError(
            f"{where}: [reuse] cache and dedup = false contradict each other: a cache answers rows "
            "that ask the same by one answer. Leave one of the two out; for several answers to a "
            "row set [sampling] samples"
        )
    check_urls(job, merged, where)
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
    if "tools" in job.parameters and (fault := fault_of_tools(job.parameters["tools"])):
        raise ConfigurationError(f"{where}: [parameters] tools: {fault}")
    _check_structure(job, where)
    check_copies(job, where)
    check_alerts(job.alerts, where)
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


def _check_structure(job: JobSpec, where: str) -> None:
    """Refuse what cannot be together with answers of a schema."""
    output = job.output
    if output.schema is not None and output.fields is not None:
        raise ConfigurationError(
            f"{where}: [output] schema and fields both say what answers hold; leave one out"
        )
    if output.schema is None and output.fields is None:
        return
    if not _is_json(output.schema):
        raise ConfigurationError(f"{where}: [output] schema holds a value that is no JSON")
    if "tools" in job.parameters or job.prompt.tools_column is not None:
        raise ConfigurationError(
            f"{where}: tools let the model call a function where [output] wants a value; leave "
            "one of the two out"
        )


def _refuse_broken_text(flags: Mapping[str, Any], where: str) -> None:
    """Refuse text of a shell that is in another encoding, and names of files that are.

    Parameters are looked at with all else that JSON does not hold.
    """
    for table, content in flags.items():
        settings = content if isinstance(content, Mapping) else {"": content}
        for key, value in settings.items():
            for text in value if isinstance(value, list | tuple) else (value,):
                if table != "parameters" and isinstance(text, str) and not is_text(text):
                    name = f"[{table}] {key}" if key else table
                    raise UsageError(
                        f"{where}: {name}: {escaped(text)} is not UTF-8; write it in UTF-8, and "
                        "rename a file that is called so"
                    )


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
    if isinstance(inputs, str):
        inputs = [inputs]
    if isinstance(inputs, list):
        anchored["input"] = [
            str(folder / name)
            if isinstance(name, str) and name != "-" and not is_url(name)
            else name
            for name in inputs
        ]
    output = anchored.get("output")
    if isinstance(output, Mapping) and isinstance(output.get("schema"), str):
        anchored["output"] = {**output, "schema": _read_schema(folder / output["schema"])}
    if isinstance(output, Mapping) and isinstance(place := output.get("sync_checkpoint"), str):
        copies = place if is_url(place) else (folder / place).absolute().as_uri()
        anchored["output"] = {**anchored["output"], "sync_checkpoint": copies}
    if isinstance(parameters := anchored.get("parameters"), Mapping):
        anchored["parameters"] = with_tools_read(parameters, folder)
    alerts = anchored.get("alerts")
    if isinstance(alerts, Mapping) and isinstance(alerts.get("webhooks"), list | tuple):
        webhooks = [_with_file(webhook, folder) for webhook in alerts["webhooks"]]
        anchored["alerts"] = {**alerts, "webhooks": webhooks}
    for table, key in PATHS:
        content = anchored.get(table)
        if isinstance(content, Mapping) and isinstance(content.get(key), str):
            path = content[key]
            as_it_is = path == ANY_FOLDER or is_url(path)
            anchored[table] = {**content, key: path if as_it_is else str(folder / path)}
    return anchored


def _with_file(webhook: object, folder: Path) -> object:
    """Return a webhook with the file of its address resolved against `folder`."""
    if isinstance(webhook, Mapping) and isinstance(name := webhook.get("url_file"), str) and name:
        return {**webhook, "url_file": str(folder / name)}
    return webhook


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


def _read_schema(path: Path) -> dict[str, Any]:
    """Return the JSON Schema of a file, which becomes a part of the job."""
    try:
        return msgspec.json.decode(path.read_bytes().removeprefix(codecs.BOM_UTF8), type=dict)
    except OSError as error:
        raise ConfigurationError(f"cannot read the schema {path}: {error.strerror}") from None
    # ValueError: not JSON, not an object, or not UTF-8.
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the schema {path} is no JSON object: {error}") from None


# The two ways to say what answers hold; one of a flag takes the place of either in the file.
_STRUCTURES = ("schema", "fields")

_EXPLAINED = Tables(
    JobSpec,
    {**TABLES, "alerts": AlertsSpec},
    {"prices": PriceSpec},
    {"alerts.webhooks": WebhookSpec},
)

_TEMPLATES = ("template", "system_template")
