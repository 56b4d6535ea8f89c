"""`batcher verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from batcher.errors import StorageError


@click.command("verify")
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False))
def command(directory: str) -> None:
    """Check the checkpoint and the Parquet files of the run in DIR; change nothing.

    Ends with 74 if something is wrong, and says what, and whether `batcher export` mends it.
    """
    from batcher.run import RunDirectory, verify

    verification = verify(RunDirectory(Path(directory)))
    for line in verification.lines():
        click.echo(line)
    sys.exit(0 if verification.sound else StorageError.exit_code)
