"""What a run is to do, as one frozen, validated `JobSpec`: the tables of a job file.

docs/job-file.md lists every key.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

import msgspec

from batcher.durations import TIME_OF_DAY, seconds_of, seconds_until
from batcher.job.alerts import AlertsSpec
from batcher.job.table import Amount, Duration, Natural, Port, Seconds, Share, Table

# PORT, or HOST:PORT.
ADDRESS = r"^(.+:)?[0-9]{1,5}\Z"

Price = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]

EVERY_MODEL = "*"
ANY_FOLDER = "*"
SAMPLES = "sampling.samples"
"""The name of the request setting that says how many answers each row gets."""

# What the run itself decides; a job that set them would contradict it.
RESERVED_PARAMETERS = {
    "model": "set [provider] model or --model",
    "messages": "messages come from the rows",
    "stream": "use --stream, or stream = true under [provider]",
    "stream_options": "usage is read from the stream as it comes",
    "n": "one answer a call is kept; for several a row write samples under [sampling]",
    "request_id": "each attempt gets a fresh one",
}


class ProviderSpec(Table, frozen=True):
    """Whom to call, and how to sign in. The key itself never stands in a job.

    `models` are `model` and those asked after it, in their order, on the errors of `fallback_on`.
    `allowed_models` are those that a batch line may name beside `model`; `EVERY_MODEL` among
    them, or neither of the two, allows all.
    """

    name: Literal["glm", "zai", "openai", "deepseek"] = "glm"
    base_url: str | None = None
    model: str | None = None
    models: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
    fallback_on: tuple[Literal["overloaded", "content_filtered", "prompt_too_long"], ...] = ()
    auth: Literal["bearer", "jwt"] = "bearer"
    api_key_file: str | None = None
    stream: bool = False
    allow_empty: bool = False
    allowed_models: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
    trust_env: bool = False


class PromptSpec(Table, frozen=True):
    """How a row becomes messages. Templates are Jinja2 text.

    `image_columns` hold images for the last user message. `images_from` is the folder that local
    ones must be in, in place of the input's; `ANY_FOLDER` lets rows name any file of this machine.
    `tools_column` holds the tools of a row, where it has others than the job's parameter `tools`.
    """

    template: str | None = None
    system_template: str | None = None
    prompt_column: str = "prompt"
    messages_column: str = "messages"
    id_column: str | None = None
    image_columns: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
    images_from: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    tools_column: str | None = None


class SamplingSpec(Table, frozen=True):
    """How many answers each row gets, each by a call of its own."""

    samples: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1


class LimitSpec(Table, frozen=True):
    """How hard, how long and how often to try; times in seconds.

    `concurrency` is a number, or found by the run, up to `max_concurrency`. `rpm` and `tpm` are
    requests and tokens a minute. `max_response_bytes` bounds one answer as it is after
    decompression.
    """

    concurrency: Natural | Literal["auto"] = "auto"
    max_concurrency: Natural = 1000
    rpm: Natural | None = None
    tpm: Natural | None = None
    timeout: Seconds = 300.0
    connect_timeout: Seconds = 10.0
    idle_timeout: Seconds = 120.0
    max_attempts: Natural = 8
    max_wait: Seconds = 6 * 3600.0
    max_outage: Duration = "6h"
    max_response_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 64 * 1024 * 1024

    @property
    def is_fixed(self) -> bool:
        """Whether the user chose how many calls are in flight at once."""
        return self.concurrency != "auto"

    @property
    def most_calls(self) -> int:
        """Calls that may be in flight at once, at most."""
        return self.max_concurrency if self.concurrency == "auto" else self.concurrency


class CeilingSpec(Table, frozen=True):
    """What ends a run before its last row; then it goes on with the same command.

    Cost and tokens are those of all processes of the run, the others of one.
    """

    max_cost: Amount | None = None
    max_tokens_total: Natural | None = None
    max_rows: Natural | None = None
    max_errors: Annotated[int, msgspec.Meta(ge=0)] | None = None
    max_error_rate: Share | None = None
    max_duration: Duration | None = None
    deadline: Annotated[str, msgspec.Meta(pattern=TIME_OF_DAY)] | None = None

    def seconds_left(self, now: datetime) -> float | None:
        """Return the seconds from `now` (aware, in the user's zone) in which calls may begin."""
        left = [] if self.max_duration is None else [seconds_of(self.max_duration)]
        if self.deadline is not None:
            left.append(seconds_until(self.deadline, now))
        return min(left, default=None)


class OutputSpec(Table, frozen=True):
    """Where results go, how safe each is, what answers hold, and how many errors are fine.

    `sync` says what a loss of power may cost: at most the last 100 ms of a `group`, or no `row`.
    `sync_checkpoint` is the URL, or the directory, where a copy of the checkpoint is kept, at most
    every `sync_every`.
    `allow_errors` is a number of rows (100) or a share of all rows ("1%"). `schema` is the JSON
    Schema of the value that each answer holds, in the file the name of one; `fields` is its short
    form, see docs/structured-output.md. An answer without such a value is asked for again, at most
    `repair_attempts` times. `to` is the URL of a folder where the files that a run ends with are
    put as well.
    """

    directory: str | None = None
    to: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    sync: Literal["group", "row"] = "group"
    sync_checkpoint: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    sync_every: Duration = "60s"
    allow_errors: Annotated[int, msgspec.Meta(ge=0)] | Share = 0
    schema: dict[str, Any] | None = None
    fields: dict[str, Any] | None = None
    repair_attempts: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2

    def allows(self, errors: int, rows: int) -> bool:
        """Whether `errors` of `rows` are within what the user allows."""
        if isinstance(self.allow_errors, str):
            return errors * 100 <= Fraction(self.allow_errors[:-1]) * rows
        return errors <= self.allow_errors


class ReuseSpec(Table, frozen=True):
    """Which answers are used for more than the row that was called for them.

    With `dedup`, rows that ask the same are called once; None does so where the answer is the same
    each time, as far as the request can tell, and everywhere where there is a `cache`: the
    directory of one, which keeps answers for other runs, and would answer the second row anyway.
    """

    dedup: bool | None = None
    cache: Annotated[str, msgspec.Meta(min_length=1)] | None = None


class ObserveSpec(Table, frozen=True):
    """How a run is seen: a report at its end, and figures for other programs while it goes on.

    `lang` and `report_samples` are of the report: its language, and whether it shows prompts and
    answers. `metrics_port` is PORT or HOST:PORT, where Prometheus may ask; `metrics_file` a file of
    its textfile collector. `otel` sends traces and metrics by OpenTelemetry, as the environment's
    OTEL_* says, and `otel_content` prompts and answers with them.
    """

    report: bool = True
    lang: Literal["en", "zh"] = "en"
    report_samples: bool = True
    metrics_port: Port | Annotated[str, msgspec.Meta(pattern=ADDRESS)] | None = None
    metrics_file: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    otel: bool = False
    otel_content: bool = False


class PriceSpec(Table, frozen=True):
    """What a model costs for a million tokens, and how many it takes and makes at most.

    Without `cached`, tokens that the provider had in its cache cost as much as the others.
    """

    input: Price
    output: Price
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]
    cached: Price | None = None
    context: Natural | None = None
    max_output: Natural | None = None


class JobSpec(Table, frozen=True):
    """Everything a run is told, validated once; `prices` are by model, all in one currency."""

    input: tuple[str, ...] = ()
    provider: ProviderSpec = ProviderSpec()
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    prompt: PromptSpec = PromptSpec()
    sampling: SamplingSpec = SamplingSpec()
    limits: LimitSpec = LimitSpec()
    ceilings: CeilingSpec = CeilingSpec()
    output: OutputSpec = OutputSpec()
    reuse: ReuseSpec = ReuseSpec()
    observe: ObserveSpec = ObserveSpec()
    alerts: AlertsSpec = AlertsSpec()
    prices: dict[str, PriceSpec] = msgspec.field(default_factory=dict)

    def with_model(self, model: str) -> JobSpec:
        """Return this job, asking `model`; where it named none, batch lines still name theirs."""
        open_to_all = self.provider.model is None and not self.provider.allowed_models
        allowed = (EVERY_MODEL,) if open_to_all else self.provider.allowed_models
        provider = msgspec.structs.replace(self.provider, model=model, allowed_models=allowed)
        return msgspec.structs.replace(self, provider=provider)

    def request_settings(self) -> dict[str, object]:
        """The part of the job that shapes requests: what a changed job is compared by."""
        provider = self.provider
        settings: dict[str, object] = {
            "model": provider.model,
            "provider.allowed_models": list(provider.allowed_models) or None,
            SAMPLES: self.sampling.samples,
        }
        settings |= {f"parameters.{name}": value for name, value in self.parameters.items()}
        prompt: dict[str, object] = msgspec.structs.asdict(self.prompt)
        # Where images are read from is no matter of the request, which holds the images.
        del prompt["images_from"]
        prompt["image_columns"] = list(self.prompt.image_columns) or None
        settings |= {f"prompt.{name}": value for name, value in prompt.items()}
        settings |= {"output.schema": self.output.schema, "output.fields": self.output.fields}
        return {name: value for name, value in settings.items() if value is not None}


TABLES: dict[str, type[Table]] = {
    "provider": ProviderSpec,
    "prompt": PromptSpec,
    "sampling": SamplingSpec,
    "limits": LimitSpec,
    "ceilings": CeilingSpec,
    "output": OutputSpec,
    "reuse": ReuseSpec,
    "observe": ObserveSpec,
}
