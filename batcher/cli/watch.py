"""`batcher watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from batcher.cli.options import run_directory


@click.command("watch")
@run_directory
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port to listen on [a free one].",
)
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Its language [the run's].")
def command(directory: str, port: int, lang: Literal["en", "zh"] | None) -> None:
    """Show the run in DIR as a live page on this machine, also while it goes on.

    Open the printed address in a browser. The page follows the run, to its end and when it is
    resumed; it only reads, and shows no prompts and no answers. Ctrl-C ends it, never the run.
    """
    from batcher.runs.directory import RunDirectory
    from batcher.runs.watching import watch

    watch(
        RunDirectory(Path(directory)),
        port,
        lang,
        lambda address: click.echo(f"{address} (Ctrl-C ends it, not the run)"),
    )
