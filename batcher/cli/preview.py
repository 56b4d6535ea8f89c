"""`batcher preview`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from batcher.cli.options import job_of, job_options
from batcher.cli.portion import portion_of, portion_options
from batcher.cli.topics import ByTopic


@click.command("preview", cls=ByTopic)
@job_options
@portion_options
@click.option("-n", "rows", type=click.IntRange(min=1), default=3, help="How many rows [3].")
def command(rows: int, **options: Any) -> None:
    """Show the exact requests of the first rows of INPUT, without a call."""
    from batcher.runs.credentials import environment, provider_of
    from batcher.runs.survey import STAND_IN, preview

    job = job_of(options)
    provider = provider_of(job.provider, environment())
    is_unnamed = False
    for shown in preview(job, provider, sys.stdin.buffer, rows, portion_of(options)):
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        is_unnamed |= shown.get("key", "") is None
    if is_unnamed:
        click.echo(
            f"Note: no model is named, so {STAND_IN} stands for it and the key is not known yet; "
            "a run needs --model, such as glm-4.5-air.",
            err=True,
        )
