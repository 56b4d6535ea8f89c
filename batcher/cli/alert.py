"""`batcher alert`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from batcher.cli import suggestions


@click.command("alert")
@click.argument("job_file", metavar="JOB.toml", shell_complete=suggestions.files)
@click.option(
    "--event",
    metavar="NAME",
    help="What to tell: finish, failure, outage, recovered, error_rate or cost.",
    shell_complete=suggestions.words(*suggestions.EVENTS),
)
@click.option("--send", is_flag=True, help="Really send it, marked as a test.")
def command(job_file: str, *, event: str | None, send: bool) -> None:
    """Print what the webhooks of a job would be told, with made-up figures; send nothing.

    Addresses, signatures and secrets are shown as ***. With --send, each webhook gets one message
    that is marked as a test; ends with 74 if one did not take it.
    """
    from batcher.errors import StorageError
    from batcher.job import load_job
    from batcher.runs.credentials import environment
    from batcher.runs.trial import Trial, event_named

    job = load_job(Path(job_file), {})
    trial = Trial(job, environment(), None if event is None else event_named(event))
    if not send:
        for payload in trial.payloads():
            click.echo(json.dumps(payload, ensure_ascii=False, indent=2))
        return
    failed = False
    for sent in trial.send():
        click.echo(f"webhook {sent.number} ({sent.host}): {sent.event}: {sent.said}")
        failed |= not sent.delivered
    sys.exit(StorageError.exit_code if failed else 0)
