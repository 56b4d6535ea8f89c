"""`batcher report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batcher.cli import suggestions
from batcher.cli.options import run_directory


@click.command("report")
@run_directory
@click.option(
    "--to",
    metavar="FILE",
    help="File to write [DIR/report.html].",
    shell_complete=suggestions.files,
)
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Its language [the run's].")
@click.option(
    "--samples/--no-samples", default=None, help="Show prompts and answers [as the run did]."
)
def command(directory: str, to: str | None, lang: Any, *, samples: bool | None) -> None:
    """Write the report of the run in DIR again, also while it goes on.

    One page that needs no network: rows, errors with examples, rates, latencies, tokens, cost.
    """
    from batcher.runs.directory import RunDirectory
    from batcher.runs.report import Reporter

    reporter = Reporter.of(RunDirectory(Path(directory)), lang=lang, samples=samples)
    click.echo(reporter.write(Path(to) if to else None))
