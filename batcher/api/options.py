"""The keyword arguments of a run: those of a job file, each under its own name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict

from batcher.job import PLACES, JobSpec, PriceSpec, load_job, tables_of
from batcher.wording import nearest

PathName: TypeAlias = str | os.PathLike[str]
Job: TypeAlias = PathName | Mapping[str, Any]
"""A job file, or its tables."""


class JobOptions(TypedDict, total=False):
    """What a job may say; docs/job-file.md explains each. None leaves it to the job file."""

    provider: Literal["glm", "zai", "openai", "deepseek"] | None
    base_url: str | None
    model: str | None
    models: Sequence[str] | None
    fallback_on: Sequence[Literal["overloaded", "content_filtered", "prompt_too_long"]] | None
    auth: Literal["bearer", "jwt"] | None
    api_key_file: PathName | None
    stream: bool | None
    allow_empty: bool | None
    allowed_models: Sequence[str] | None
    trust_env: bool | None
    parameters: Mapping[str, Any] | None
    template: str | None
    system_template: str | None
    prompt_column: str | None
    messages_column: str | None
    id_column: str | None
    image_columns: Sequence[str] | None
    images_from: PathName | None
    tools_column: str | None
    samples: int | None
    concurrency: int | Literal["auto"] | None
    max_concurrency: int | None
    rpm: int | None
    tpm: int | None
    timeout: float | None
    connect_timeout: float | None
    idle_timeout: float | None
    max_attempts: int | None
    max_wait: float | None
    max_outage: str | None
    max_response_bytes: int | None
    max_cost: str | None
    max_tokens_total: int | None
    max_rows: int | None
    max_errors: int | None
    max_error_rate: str | None
    max_duration: str | None
    deadline: str | None
    dedup: bool | None
    cache: PathName | None
    output: PathName | None
    to: str | None
    sync: Literal["group", "row"] | None
    sync_checkpoint: PathName | None
    sync_every: str | None
    allow_errors: int | str | None
    schema: PathName | Mapping[str, Any] | None
    fields: Mapping[str, Any] | None
    repair_attempts: int | None
    report: bool | None
    lang: Literal["en", "zh"] | None
    report_samples: bool | None
    metrics_port: int | str | None
    metrics_file: PathName | None
    otel: bool | None
    otel_content: bool | None
    alerts: Mapping[str, Any] | None
    prices: Mapping[str, PriceSpec | Mapping[str, Any]] | None


class Options(JobOptions, total=False):
    """What a job may say, and how a run goes about it this time.

    With `retry_errors`, rows are called again that ended in an error. `limit` are the first so many
    rows, `sample` so many that are drawn by `seed`; without them the same call goes on with the
    rest. `shard=(i, n)` is the i-th, from 1, of n equal parts of the input, which needs a directory
    of its own (docs/shards.md). `yes` goes on though a changed job or input leaves recorded answers
    without a row.
    """

    retry_errors: bool
    limit: int | None
    sample: int | None
    seed: int | None
    shard: tuple[int, int] | None
    yes: bool


_TABLES = ("parameters", "alerts", "prices")


def job_of(inputs: Sequence[str] | None, job: Job | None, options: Options) -> JobSpec:
    """Return the job of a run: `inputs` and `options`, laid over `job`.

    Raises:
        TypeError: an option has no such name; the message names the nearest.
        ConfigurationError: an option or the job is wrong.
    """
    refuse_unknown(options)
    plain = {name: _plain(value) for name, value in options.items()}
    flags = tables_of(plain)
    for name in _TABLES:
        if plain.get(name) is not None:
            flags[name] = plain[name]
    if inputs is not None:
        flags["input"] = list(inputs)
    source = job if job is None or isinstance(job, Mapping) else Path(job)
    return load_job(source, flags, "the arguments")


def refuse_unknown(names: Iterable[str]) -> None:
    """Refuse what is no name of an option.

    Raises:
        TypeError: one is none; the message names the nearest.
    """
    known = [*PLACES, *_TABLES, *(Options.__annotations__.keys() - JobOptions.__annotations__)]
    for name in names:
        if name not in known:
            raise TypeError(_unknown(name, known))


def _plain(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _unknown(name: str, known: Sequence[str]) -> str:
    near = nearest(name, known, 0.75)
    hint = f"did you mean {near!r}?" if near else "what goes to the model goes into parameters"
    return f"run() got an unexpected keyword argument {name!r}; {hint}"
