"""`batcher verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from batcher.cli.options import run_directory
from batcher.errors import StorageError


@click.command("verify")
@run_directory
@click.option("--mend", "mending", is_flag=True, help="Drop outcomes that are damaged.")
def command(directory: str, *, mending: bool) -> None:
    """Check the checkpoint and the Parquet files of the run in DIR.

    Ends with 74 if something is wrong, and says what, and what mends it. Changes nothing, unless
    --mend is given: then damaged outcomes are dropped, and the next run calls their rows again.
    """
    from batcher.runs.directory import RunDirectory
    from batcher.runs.verify import mend, verify
    from batcher.wording import counted

    if mending:
        dropped = mend(RunDirectory(Path(directory)))
        click.echo(f"Dropped: {counted(dropped, 'outcome')}; the next run calls what they were of")
    verification = verify(RunDirectory(Path(directory)))
    for line in verification.lines():
        click.echo(line)
    sys.exit(0 if verification.sound else StorageError.exit_code)
