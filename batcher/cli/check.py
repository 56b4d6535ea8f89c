"""`batcher check`."""

from __future__ import annotations

import sys
from typing import Any

import click

from batcher.cli.options import job_of, job_options
from batcher.cli.portion import portion_of, portion_options
from batcher.cli.topics import ByTopic


@click.command("check", cls=ByTopic)
@job_options
@portion_options
def command(**options: Any) -> None:
    """Read all of INPUT and report every bad row, without a call.

    Ends with 65 if there are bad rows, else with 0 and an estimate of the prompt tokens.
    """
    from batcher.runs.credentials import environment, provider_of
    from batcher.runs.survey import check

    job = job_of(options)
    provider = provider_of(job.provider, environment())
    survey = check(job, provider, sys.stdin.buffer, click.echo, portion_of(options))
    for line in survey.lines():
        click.echo(line)
    sys.exit(65 if survey.bad else 0)
