"""`batcher head`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from batcher.cli.options import run_directory


@click.command("head")
@run_directory
@click.option("-n", "rows", type=click.IntRange(min=1), default=3, help="How many rows [3].")
def command(directory: str, rows: int) -> None:
    """Show the first results of the run in DIR, as JSON."""
    from batcher.runs.directory import RunDirectory
    from batcher.runs.head import first_results

    for row in first_results(RunDirectory(Path(directory)), rows):
        click.echo(json.dumps(row, ensure_ascii=False, indent=2))
