"""`batcher merge`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from batcher.cli import suggestions
from batcher.cli.kinds import Directory


@click.command("merge")
@click.argument(
    "directories",
    metavar="DIR...",
    nargs=-1,
    required=True,
    type=Directory(exists=True, file_okay=False),
    shell_complete=suggestions.run_directories,
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    required=True,
    help="The run directory to make.",
    shell_complete=suggestions.run_directories,
)
def command(directories: tuple[str, ...], output: str) -> None:
    """Join the shards of an input, or other runs of it, into one run directory.

    Calls nothing. The runs in DIR... are only read, and may still go on. The same command again
    takes up what they have since. Ends with 75 where rows are pending: `batcher run INPUT -o DIR`
    calls just those.
    """
    from batcher.runs.directory import RunDirectory
    from batcher.runs.merge import merge_runs

    merged = merge_runs(
        [RunDirectory(Path(one)) for one in directories], RunDirectory.named(output)
    )
    for line in merged.summary.lines():
        click.echo(line)
    sys.exit(merged.exit_code)
