"""The options that say what a job is, shared by run, check and preview."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from batcher.job import JobSpec

Command = TypeVar("Command", bound=Callable[..., Any])


class Parameter(click.ParamType[tuple[str, object], str]):
    """NAME=VALUE; the value is read as JSON where it is JSON, else as text."""

    name = "NAME=VALUE"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, object]:
        """Split and type one parameter."""
        name, equals, text = value.partition("=")
        if not (name and equals):
            self.fail(f"{value!r} is not NAME=VALUE, such as temperature=0.2", param, ctx)
        try:
            return name, json.loads(text, parse_constant=_refuse)
        except ValueError:
            return name, text


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


class NumberOr(click.ParamType[int | str, str]):
    """A number, or what `name` says: a share such as 1%, or auto."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Tell numbers from shares; the job validates the rest."""
        del param, ctx
        return int(value) if value.isdecimal() else value


def job_options(command: Command) -> Command:
    """Add INPUT... and every option that describes a job."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def job_of(options: Mapping[str, Any]) -> JobSpec:
    """Make the job of a command's options, laid over its --job file.

    Raises:
        ConfigurationError: an option or the file is wrong.
        UsageError: there is no input.
    """
    from batcher.errors import UsageError
    from batcher.job import load_job, tables_of

    flags = tables_of(options)
    if options["params"]:
        flags["parameters"] = dict(options["params"])
    if options["inputs"]:
        flags["input"] = list(options["inputs"])
    job_file = options["job"]
    job = load_job(Path(job_file) if job_file else None, flags)
    if not job.input:
        raise UsageError("no input: name a file, a directory, a glob or -, or `input` in the job")
    return job


_OPTIONS = (
    click.argument("inputs", nargs=-1, metavar="INPUT..."),
    click.option("--job", metavar="FILE.toml", help="Read the job from a file; flags win over it."),
    click.option("--provider", metavar="NAME", help="glm (default), zai, openai or deepseek."),
    click.option("--base-url", metavar="URL", help="Any endpoint that speaks the same protocol."),
    click.option("-m", "--model", help="The model, such as glm-4.7."),
    click.option(
        "-p",
        "--param",
        "params",
        multiple=True,
        type=Parameter(),
        help="A request parameter, such as temperature=0.2; repeatable.",
    ),
    click.option("--auth", metavar="bearer|jwt", help="Send the key, or a token signed with it."),
    click.option("--api-key-file", metavar="FILE", help="Read the key from a file."),
    click.option("--stream/--no-stream", default=None, help="Ask for the answer as a stream."),
    click.option(
        "--allow-empty/--no-allow-empty", default=None, help="Take an empty answer as a result."
    ),
    click.option(
        "--trust-env/--no-trust-env",
        default=None,
        help="Use the proxy and the certificates that the environment names.",
    ),
    click.option("--template", metavar="TEXT|@FILE", help="Jinja2 template of the prompt."),
    click.option("--system-template", metavar="TEXT|@FILE", help="The same, system message."),
    click.option("--prompt-column", metavar="NAME", help="The prompt's column [prompt]."),
    click.option("--messages-column", metavar="NAME", help="The messages' column [messages]."),
    click.option("--id-column", metavar="NAME", help="The id's column [id, custom_id]."),
    click.option(
        "-c",
        "--concurrency",
        type=NumberOr("N|auto"),
        metavar="N|auto",
        help="Calls in flight; auto finds out how many the endpoint takes [auto].",
    ),
    click.option("--max-concurrency", type=int, metavar="N", help="Most that auto tries [1000]."),
    click.option("--rpm", type=int, metavar="N", help="Requests a minute, for each key and model."),
    click.option("--tpm", type=int, metavar="N", help="Tokens a minute, for each key and model."),
    click.option("--timeout", type=float, metavar="S", help="Seconds for a whole call [300]."),
    click.option("--connect-timeout", type=float, metavar="S", help="Seconds to connect [10]."),
    click.option("--idle-timeout", type=float, metavar="S", help="Seconds without a byte [120]."),
    click.option("--max-attempts", type=int, metavar="N", help="Counted failures a row [8]."),
    click.option("--max-wait", type=float, metavar="S", help="Longest wait for a quota [21600]."),
    click.option(
        "--max-response-bytes", type=int, metavar="N", help="Largest answer, decoded [67108864]."
    ),
    click.option("--max-outage", metavar="D", help="Longest outage to wait out, such as 90m [6h]."),
    click.option("--max-cost", metavar="5.00CNY", help="Ceiling for the whole run's cost."),
    click.option("--max-tokens-total", type=int, metavar="N", help="The same, tokens."),
    click.option("--max-rows", type=int, metavar="N", help="Rows to call before stopping."),
    click.option("--max-errors", type=int, metavar="N", help="Stop when more rows end in errors."),
    click.option("--max-error-rate", metavar="P%", help="The same, share, after 100 rows."),
    click.option("--max-duration", metavar="D", help="Begin no call after this time: 5h, 1h30m."),
    click.option("--deadline", metavar="HH:MM", help="Begin no call after this time of day."),
    click.option("-o", "--output", metavar="DIR", help="The run directory [INPUT.batch]."),
    click.option(
        "--sync",
        metavar="group|row",
        help="Sync answers to disk in groups of 100 ms, or each before its call ends [group].",
    ),
    click.option(
        "--allow-errors",
        type=NumberOr("N|P%"),
        help="Error rows that still count as done (exit 0) [0].",
    ),
)
