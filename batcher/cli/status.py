"""`batcher status`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from batcher.cli.options import run_directory


@click.command("status")
@run_directory
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(directory: str, *, as_json: bool) -> None:
    """Show how far the run in DIR is, also while it goes on in another process."""
    from batcher.runs.directory import RunDirectory
    from batcher.runs.status import status_of

    status = status_of(RunDirectory(Path(directory)))
    click.echo(json.dumps(status.facts()) if as_json else "\n".join(status.lines()))
