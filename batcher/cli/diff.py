"""`batcher diff`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from batcher.cli.options import run_directory_as


@click.command("diff")
@run_directory_as("a", "RUN_A")
@run_directory_as("b", "RUN_B")
@click.option("--to", metavar="FILE.parquet", help="Write each row of both beside the other.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(a: str, b: str, to: str | None, *, as_json: bool) -> None:
    """Compare two runs of the same input: answers, fields, errors, cost and latency.

    Rows are joined by their ids. Both runs may still go on.
    """
    from batcher.runs.diff import diff
    from batcher.runs.directory import RunDirectory

    difference = diff(RunDirectory(Path(a)), RunDirectory(Path(b)), Path(to) if to else None)
    if as_json:
        click.echo(json.dumps(difference.facts(), ensure_ascii=False))
        return
    for line in difference.lines():
        click.echo(line)
    if to:
        click.echo(f"\nEach row: {to}")
