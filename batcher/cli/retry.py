"""`batcher retry`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from batcher.cli import suggestions
from batcher.cli.options import calling_options, flags_of, run_directory
from batcher.cli.run import callee_of, carry_out
from batcher.cli.simulate import simulator_options
from batcher.cli.topics import ByTopic, topic

_choice = topic("Which errors")


@calling_options
@click.command("retry", cls=ByTopic)
@run_directory
@_choice(
    "--class",
    "classes",
    multiple=True,
    metavar="NAME",
    help="Only errors of this class, such as throttled; repeatable.",
    shell_complete=suggestions.error_classes,
)
@_choice(
    "--where",
    metavar="SQL",
    help='Only errors for which it holds, such as "http_status >= 500 AND attempts < 8".',
)
@_choice("--dry-run", is_flag=True, help="Say how many rows would be called; call none.")
@topic("Simulator")("--simulate", is_flag=True, help="Call the simulator, as the run in DIR did.")
@simulator_options
def command(directory: str, *, dry_run: bool, **options: Any) -> None:
    """Call rows again that ended in an error in the run in DIR: all of them, or those chosen.

    With the run's own job and input. Pending rows and other errors stay as they are. Until a row
    has its new outcome, the old one stays.
    """
    from batcher.checkpoint import ErrorChoice
    from batcher.runs.directory import RunDirectory
    from batcher.runs.retry import EarlierRun, error_classes

    choice = ErrorChoice(error_classes(options["classes"]), options["where"])
    earlier = EarlierRun.recalled(RunDirectory(Path(directory)))
    if dry_run:
        click.echo("\n".join(earlier.lines(choice)))
        return
    earlier.agree(simulated=options["simulate"])
    job = earlier.job(flags_of(options))
    sys.exit(carry_out(job, callee_of(job, options), lambda _change: False, only=choice))
