"""`batcher run`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from batcher.cli.options import job_of, job_options
from batcher.cli.simulate import simulator_config, simulator_options

if TYPE_CHECKING:
    from batcher.job import JobSpec
    from batcher.run import RunResult


@click.command("run")
@job_options
@click.option("--retry-errors", is_flag=True, help="Call rows again that ended in an error.")
@click.option("-y", "--yes", is_flag=True, help="Go on after a changed job or input, unasked.")
@click.option("--simulate", is_flag=True, help="Call a local simulator instead of a model.")
@simulator_options
def command(**options: Any) -> None:
    """Call the model for every row of INPUT that has no answer yet.

    INPUT is one or more .jsonl, .ndjson (plain, .gz, .zst) or .parquet files, directories or
    globs, or - for JSONL on standard input. Results and errors go to Parquet files in the run
    directory. The same command again goes on where the last one stopped.
    """
    from batcher.cli.credentials import auth_of, environment, provider_of
    from batcher.observe import EventLog, Heartbeat, ProgressBar
    from batcher.providers import Bearer
    from batcher.run import Session
    from batcher.simulator import SIMULATED_KEY

    simulate = simulator_config(options) if options["simulate"] else None
    if simulate:
        options["model"] = options["model"] or SIMULATED_MODEL
    job = job_of(options)
    terminal = sys.stderr.isatty()
    variables = environment()
    provider = provider_of(job.provider, variables)
    session = Session(
        job=job,
        provider=provider,
        auth=Bearer(SIMULATED_KEY) if simulate else auth_of(job.provider, provider, variables),
        watcher=ProgressBar(sys.stderr) if terminal else Heartbeat(EventLog(sys.stderr)),
        consent=lambda question: _consent(question, given=options["yes"], terminal=terminal),
        stdin=sys.stdin.buffer,
        retry_errors=options["retry_errors"],
        simulate=simulate,
    )
    result = session.run()
    for line in result.summary.lines():
        click.echo(line)
    sys.exit(exit_code(result, job))


def exit_code(result: RunResult, job: JobSpec) -> int:
    """Return the process's exit code for a run that ended in order (docs/errors.md)."""
    counts, pending = result.summary.counts, result.summary.pending
    if result.stopped_by is not None:
        return result.stopped_by.problem.error_class.rule.exit_code
    if result.interrupted is not None:
        return 128 + result.interrupted
    if pending:
        return 75
    return 0 if job.output.allows(counts.error_rows, counts.rows) else 65


def _consent(question: str, *, given: bool, terminal: bool) -> bool:
    click.echo(question, err=True)
    if given or not (terminal and sys.stdin.isatty()):
        return given
    return click.confirm("Go on?", err=True)
