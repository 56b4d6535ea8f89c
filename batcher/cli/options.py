"""The options that say what a job is, shared by the commands that take an INPUT, and by retry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batcher.cli import suggestions
from batcher.cli.kinds import Directory, Field, NumberOr, Parameter
from batcher.cli.topics import adding, topic

if TYPE_CHECKING:
    from batcher.job import JobSpec

Command = TypeVar("Command", bound=Callable[..., Any])

# Beside limits and ceilings, those that change nothing of a request or its key.
_HOW = frozenset(
    {"base_url", "auth", "api_key_file", "stream", "allow_empty", "trust_env"}
    | {"repair_attempts", "sync", "sync_checkpoint", "sync_every", "allow_errors", "dedup", "cache"}
)


def run_directory_as(name: str, metavar: str) -> Callable[[Command], Command]:
    """Return what adds the directory of a run."""
    suggest = suggestions.run_directories
    kind = Directory(exists=True, file_okay=False)
    return click.argument(name, metavar=metavar, type=kind, shell_complete=suggest)


run_directory = run_directory_as("directory", "DIR")
"""Adds DIR, the directory of a run."""


def calling_options(command: click.Command) -> click.Command:
    """Add to a command those of the options that say how to call, not what is asked."""
    every = click.Command(None)
    for option in _OPTIONS:
        option(every)
    # Before those of the simulator.
    at = [option.name for option in command.params].index("simulate")
    command.params[at:at] = [option for option in every.params if _says_how(str(option.name))]
    return command


def _says_how(name: str) -> bool:
    from batcher.job import PLACES

    table, _ = PLACES.get(name, ("", ""))
    return table in ("limits", "ceilings", "observe") or name in _HOW


def flags_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a command's options that were given, as tables of a job file."""
    from batcher.job import tables_of

    return tables_of(options)


def job_of(options: Mapping[str, Any]) -> JobSpec:
    """Make the job of a command's options, laid over its --job file.

    Raises:
        ConfigurationError: an option or the file is wrong.
        UsageError: there is no input.
    """
    from batcher.errors import UsageError
    from batcher.job import load_job

    flags = flags_of(options)
    if options["params"]:
        flags["parameters"] = dict(options["params"])
    if options["image_columns"]:
        flags.setdefault("prompt", {})["image_columns"] = list(options["image_columns"])
    if options["fields"]:
        flags.setdefault("output", {})["fields"] = dict(options["fields"])
    if options["inputs"]:
        flags["input"] = list(options["inputs"])
    job_file = options["job"]
    job = load_job(Path(job_file) if job_file else None, flags)
    if not job.input:
        raise UsageError("no input: name a file, a directory, a glob or -, or `input` in the job")
    _warn_of_slips(job)
    return job


def _warn_of_slips(job: JobSpec) -> None:
    """Say which parameters look misspelt; a provider may know them all the same."""
    from batcher.job import misspelt

    for name, near in misspelt(job.parameters):
        click.echo(
            f"Warning: the parameter `{name}` is sent as it is; did you mean `{near}`?", err=True
        )


_input = topic("Input and prompt")
_model = topic("Model and provider")
_answer = topic("Answers")
_output = topic("Output")
_limit = topic("Limits")
_ceiling = topic("Ceilings")
_seeing = topic("Seeing the run")
_network = topic("Keys and network")

_OPTIONS = (
    click.argument("inputs", nargs=-1, metavar="INPUT...", shell_complete=suggestions.files),
    _input(
        "--job",
        metavar="FILE.toml",
        help="Read the job from a file; flags win over it.",
        shell_complete=suggestions.files,
    ),
    _input("--template", metavar="TEXT|@FILE", help="Jinja2 template of the prompt."),
    _input("--system-template", metavar="TEXT|@FILE", help="The same, system message."),
    _input("--prompt-column", metavar="NAME", help="The prompt's column [prompt]."),
    _input("--messages-column", metavar="NAME", help="The messages' column [messages]."),
    _input("--id-column", metavar="NAME", help="The id's column [id, custom_id]."),
    _input("--tools-column", metavar="NAME", help="The tools' column, where rows have their own."),
    _input(
        "--image-column",
        "image_columns",
        multiple=True,
        metavar="NAME",
        help="A column of images: bytes, path or URL; repeatable.",
    ),
    _input(
        "--images-from",
        metavar="DIR",
        help="Folder of local images [the input's]; * for any file of this machine.",
        shell_complete=suggestions.directories,
    ),
    _model(
        "--provider",
        metavar="NAME",
        help="glm (default), zai, openai or deepseek.",
        shell_complete=suggestions.words(*suggestions.PROVIDERS),
    ),
    _model("--base-url", metavar="URL", help="Any endpoint that speaks the same protocol."),
    _model("-m", "--model", help="The model, such as glm-4.7.", shell_complete=suggestions.models),
    _model(
        "-p",
        "--param",
        "params",
        multiple=True,
        type=Parameter(),
        help="A request parameter, such as temperature=0.2; repeatable.",
        shell_complete=suggestions.parameters,
    ),
    _model("--stream/--no-stream", default=None, help="Ask for the answer as a stream."),
    _model(
        "--allow-empty/--no-allow-empty", default=None, help="Take an empty answer as a result."
    ),
    _answer(
        "--schema",
        metavar="FILE.json",
        help="JSON Schema of the value in each answer.",
        shell_complete=suggestions.files,
    ),
    _answer("--samples", type=int, metavar="N", help="Answers for each row, by a call each [1]."),
    _answer(
        "--field",
        "fields",
        multiple=True,
        type=Field(),
        help="One field of that value, such as label=pos,neg or score=number; repeatable.",
    ),
    _answer(
        "--repair-attempts",
        type=int,
        metavar="N",
        help="Times an answer without a valid value is asked for again [2].",
    ),
    _answer(
        "--dedup/--no-dedup",
        default=None,
        help="Call rows that ask the same once [at temperature 0, and with --cache].",
    ),
    _answer(
        "--cache",
        metavar="DIR",
        help="Keep answers in DIR for other runs, and take them from there.",
        shell_complete=suggestions.directories,
    ),
    _output(
        "-o",
        "--output",
        metavar="DIR",
        help="The run directory [INPUT.batch].",
        shell_complete=suggestions.run_directories,
    ),
    _output("--to", metavar="URL", help="Put results, errors and report there as well: s3://..."),
    _output(
        "--sync",
        metavar="group|row",
        help="Sync answers to disk in groups of 100 ms, or each before its call ends [group].",
        shell_complete=suggestions.words("group", "row"),
    ),
    _output(
        "--sync-checkpoint",
        metavar="URL",
        help="Keep a copy of the checkpoint there, so that the run goes on elsewhere.",
    ),
    _output("--sync-every", metavar="D", help="At most so often, and at the end [60s]."),
    _output(
        "--allow-errors",
        type=NumberOr("N|P%"),
        help="Error rows that still count as done (exit 0) [0].",
    ),
    _limit(
        "-c",
        "--concurrency",
        type=NumberOr("N|auto"),
        metavar="N|auto",
        help="Calls in flight; auto finds out how many the endpoint takes [auto].",
        shell_complete=suggestions.words("auto"),
    ),
    _limit("--max-concurrency", type=int, metavar="N", help="Most that auto tries [1000]."),
    _limit("--rpm", type=int, metavar="N", help="Requests a minute, for each key and model."),
    _limit("--tpm", type=int, metavar="N", help="Tokens a minute, for each key and model."),
    _limit("--timeout", type=float, metavar="S", help="Seconds for a whole call [300]."),
    _limit("--connect-timeout", type=float, metavar="S", help="Seconds to connect [10]."),
    _limit("--idle-timeout", type=float, metavar="S", help="Seconds without a byte [120]."),
    _limit("--max-attempts", type=int, metavar="N", help="Counted failures a row [8]."),
    _limit("--max-wait", type=float, metavar="S", help="Longest wait for a quota [21600]."),
    _limit(
        "--max-response-bytes", type=int, metavar="N", help="Largest answer, decoded [67108864]."
    ),
    _limit("--max-outage", metavar="D", help="Longest outage to wait out, such as 90m [6h]."),
    _ceiling("--max-cost", metavar="5.00CNY", help="Ceiling for the whole run's cost."),
    _ceiling("--max-tokens-total", type=int, metavar="N", help="The same, tokens."),
    _ceiling("--max-rows", type=int, metavar="N", help="Rows to call before stopping."),
    _ceiling("--max-errors", type=int, metavar="N", help="Stop when more rows end in errors."),
    _ceiling("--max-error-rate", metavar="P%", help="The same, share, after 100 rows."),
    _ceiling("--max-duration", metavar="D", help="Begin no call after this time: 5h, 1h30m."),
    _ceiling("--deadline", metavar="HH:MM", help="Begin no call after this time of day."),
    _seeing("--report/--no-report", default=None, help="Write report.html at the end [yes]."),
    _seeing(
        "--report-samples/--no-report-samples",
        default=None,
        help="Show prompts and answers in it [yes].",
    ),
    _seeing(
        "--lang",
        metavar="en|zh",
        help="Language of report and alerts [en].",
        shell_complete=suggestions.words("en", "zh"),
    ),
    _seeing("--metrics-port", metavar="[HOST:]PORT", help="Serve metrics to Prometheus."),
    _seeing(
        "--metrics-file",
        metavar="FILE.prom",
        help="Metrics for its textfile collector.",
        shell_complete=suggestions.files,
    ),
    _seeing("--otel/--no-otel", default=None, help="Traces and metrics by OpenTelemetry (OTEL_*)."),
    _seeing(
        "--otel-content/--no-otel-content", default=None, help="Prompts and answers in its traces."
    ),
    _network(
        "--auth",
        metavar="bearer|jwt",
        help="Send the key, or a token signed with it.",
        shell_complete=suggestions.words("bearer", "jwt"),
    ),
    _network(
        "--api-key-file",
        metavar="FILE",
        help="Read the key from a file.",
        shell_complete=suggestions.files,
    ),
    _network(
        "--trust-env/--no-trust-env",
        default=None,
        help="Use the proxy and the certificates that the environment names.",
    ),
)

job_options = adding(*_OPTIONS)
"""Adds INPUT... and every option that describes a job."""
