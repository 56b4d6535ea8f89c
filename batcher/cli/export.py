"""`batcher export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batcher.cli import suggestions
from batcher.cli.options import run_directory

_EPILOG = """\b
Formats:
  parquet  results.parquet, errors.parquet: all types exact
  jsonl    results.jsonl, errors.jsonl: one JSON object a line
  csv      results.csv, errors.csv: nested values as JSON text
  hf       a Hugging Face dataset: data/train-*.parquet and its card
           README.md; into DIR/hf unless --to says otherwise; no errors
  batch    output.jsonl, error.jsonl as the provider's batch API gives
           them, to be joined on custom_id
"""


@click.command("export", epilog=_EPILOG)
@run_directory
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["parquet", "jsonl", "csv", "hf", "batch"]),
    default="parquet",
    help="What to write, see below [parquet].",
)
@click.option(
    "--to",
    metavar="PATH|URL",
    help="Directory to write to [DIR]; or a URL: s3://bucket/folder.",
    shell_complete=suggestions.directories,
)
@click.option(
    "--partition-rows",
    type=click.IntRange(min=1),
    metavar="N",
    help="Divide the files: at most N rows each, results-00000-of-00003.parquet and so on.",
)
@click.option(
    "--vote", is_flag=True, help="Write votes.* instead: what each row's samples agree on."
)
def command(
    directory: str, file_format: Any, to: str | None, partition_rows: int | None, *, vote: bool
) -> None:
    """Write results and errors of the run in DIR again, also while it goes on.

    Nothing is called and nothing is paid. The files appear when all of them are complete; until
    then what an earlier export left stays.
    """
    from batcher.runs.delivery import target_of
    from batcher.runs.directory import RunDirectory
    from batcher.runs.export import export_run, vote_run
    from batcher.wording import counted

    run, target = RunDirectory(Path(directory)), target_of(to)

    def place(path: Path) -> str:
        return str(path) if target is None or isinstance(target, Path) else target.place(path)

    if vote:
        voted = vote_run(run, target, file_format, partition_rows)
        click.echo(f"{counted(voted.rows, 'row')}   {place(voted.path)}")
        if voted.pending:
            click.echo(f"{counted(voted.pending, 'row')} pending")
        return
    exported = export_run(run, target, file_format, partition_rows)
    click.echo(f"{counted(exported.results, 'result')}   {place(exported.results_path)}")
    errors = exported.errors_path
    shown = f"not in a dataset: see {run.errors}" if errors is None else place(errors)
    click.echo(f"{counted(exported.errors, 'error')}    {shown}")
    if exported.pending:
        click.echo(f"{exported.pending:,} pending")
