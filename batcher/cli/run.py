"""`batcher run`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from batcher.cli.options import job_of, job_options
from batcher.cli.portion import portion_of, portion_options
from batcher.cli.simulate import simulator_config, simulator_options
from batcher.cli.topics import ByTopic, topic

if TYPE_CHECKING:
    from batcher.checkpoint import ErrorChoice
    from batcher.job import JobSpec
    from batcher.runs.calling import Callee
    from batcher.runs.resume import Change
    from batcher.runs.selection import Portion


# Calls in flight are many objects that live for a while. By default they are all walked for each
# 700 new ones, which takes a fifth of a run's time.
_COLLECT = (50_000, 20, 50)


_rerun = topic("Again")


@click.command("run", cls=ByTopic)
@job_options
@portion_options
@_rerun("--retry-errors", is_flag=True, help="Call rows again that ended in an error.")
@_rerun("-y", "--yes", is_flag=True, help="Go on after a changed job or input, unasked.")
@topic("Simulator")("--simulate", is_flag=True, help="Call a local simulator instead of a model.")
@simulator_options
def command(**options: Any) -> None:
    """Call the model for every row of INPUT that has no answer yet.

    INPUT is one or more .jsonl, .ndjson (plain, .gz, .zst) or .parquet files, directories or
    globs, or - for JSONL on standard input. Results and errors go to Parquet files in the run
    directory. The same command again goes on where the last one stopped.
    """
    from batcher.runs.credentials import simulated_job

    job, portion = job_of(options), portion_of(options)
    if options["simulate"]:
        job = simulated_job(job)
    consent = partial(_consent, given=options["yes"])
    callee = callee_of(job, options)
    retry = options["retry_errors"]
    sys.exit(carry_out(job, callee, consent, retry_errors=retry, portion=portion))


def callee_of(job: JobSpec, options: Mapping[str, Any]) -> Callee:
    """Return whom a command's options have it call.

    Raises:
        CredentialsError: there is no key.
        UsageError: the simulator's options cannot be understood.
    """
    from batcher.cli.callee import real_callee
    from batcher.runs.credentials import environment, simulated_callee

    if options["simulate"]:
        return simulated_callee(job.provider, simulator_config(options))
    return real_callee(job.provider, environment())


def carry_out(
    job: JobSpec,
    callee: Callee,
    consent: Callable[[Change], bool],
    *,
    retry_errors: bool = False,
    only: ErrorChoice | None = None,
    portion: Portion | None = None,
) -> int:
    """Run a session, show it and its end; return the process's exit code."""
    from batcher.observe import display
    from batcher.runs.selection import WHOLE_INPUT
    from batcher.runs.session import Session

    session = Session(
        job=job,
        callee=callee,
        watcher=display(sys.stderr),
        consent=consent,
        stdin=sys.stdin.buffer,
        retry_errors=retry_errors,
        only=only,
        portion=portion or WHOLE_INPUT,
    )
    gc.freeze()
    gc.set_threshold(*_COLLECT)
    result = session.run()
    for line in result.summary.lines():
        click.echo(line)
    return result.exit_code(job.output)


def _consent(change: Change, *, given: bool) -> bool:
    """Show what changed; ask only where answers would be given up, and only a person."""
    click.echo(change.text, err=True)
    if given or not change.gives_up:
        return True
    if not (sys.stderr.isatty() and sys.stdin.isatty()):
        return False
    try:
        return click.confirm("Go on?", err=True)
    except click.Abort:
        # Ctrl-C and Ctrl-D are a no as well.
        return False
