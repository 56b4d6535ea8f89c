"""`batcher prices`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batcher.cli import suggestions

if TYPE_CHECKING:
    from batcher.job import JobSpec
    from batcher.providers.prices import Pricing

_HEAD = ("model", "input", "cached", "output", "context", "longest answer", "")


@click.command("prices")
@click.option(
    "--provider",
    metavar="NAME",
    help="glm (default), zai, openai or deepseek.",
    shell_complete=suggestions.words(*suggestions.PROVIDERS),
)
@click.option(
    "--job",
    metavar="FILE.toml",
    help="With the prices that a job sets.",
    shell_complete=suggestions.files,
)
def command(provider: str | None, job: str | None) -> None:
    """Show what the models cost for a million tokens, by the list that costs are counted by."""
    from batcher.job import load_job
    from batcher.providers import Pricing

    flags = {} if provider is None else {"provider": {"name": provider}}
    spec = load_job(Path(job) if job else None, flags)
    for line in _lines(spec, Pricing.of(spec.provider.name, spec.prices)):
        click.echo(line)


def _lines(job: JobSpec, pricing: Pricing) -> Iterator[str]:
    from batcher.wording import table

    name = job.provider.name
    if not pricing.prices:
        yield f"No price is known of {name}'s models."
    else:
        yield f"{name}: {pricing.unit} for a million tokens, as listed on {pricing.listed}"
        yield from table([_HEAD, *_rows(job, pricing)], noted=True)
    if pricing.source:
        yield f"Prices change; today's stand at {pricing.source}"
    yield 'A job sets its own under [prices."MODEL"] (docs/job-file.md)'


def _rows(job: JobSpec, pricing: Pricing) -> Iterator[tuple[str, ...]]:
    from batcher.money import exact
    from batcher.providers.worst_tokens import Model

    for name, bands in pricing.prices.items():
        model = pricing.models.get(name, Model())
        head = (name, *(f"{most:,}" if most else "" for most in (model.context, model.max_output)))
        for band in bands:
            prices = map(exact, (band.input, band.cached, band.output))
            note = "by the job" if name in job.prices else band.bounds
            yield (head[0], *prices, *head[1:], note)
            head = ("", "", "")
