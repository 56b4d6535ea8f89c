"""`batcher export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batcher.cli.options import run_directory


@click.command("export")
@run_directory
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["parquet", "jsonl", "csv"]),
    default="parquet",
    help="Of both files [parquet].",
)
@click.option("--to", metavar="PATH", help="Directory to write to [DIR].")
def command(directory: str, file_format: Any, to: str | None) -> None:
    """Write results and errors of the run in DIR again, also while it goes on."""
    from batcher.runs import RunDirectory, export_run
    from batcher.wording import counted

    target = Path(to) if to else None
    exported = export_run(RunDirectory(Path(directory)), target, file_format)
    click.echo(f"{counted(exported.results, 'result')}   {exported.results_path}")
    click.echo(f"{counted(exported.errors, 'error')}    {exported.errors_path}")
    if exported.pending:
        click.echo(f"{counted(exported.pending, 'row')} pending")
