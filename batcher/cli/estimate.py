"""`batcher estimate`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from batcher.cli.options import job_of, job_options
from batcher.cli.portion import portion_of, portion_options
from batcher.cli.topics import ByTopic, topic

if TYPE_CHECKING:
    from batcher.job import ProviderSpec
    from batcher.runs.calling import Callee


_estimate = topic("Estimate")


@click.command("estimate", cls=ByTopic)
@job_options
@portion_options
@_estimate(
    "--output-tokens",
    type=click.IntRange(min=0),
    metavar="N",
    help="Tokens of an answer [the mean of this run's results, else the most there can be].",
)
@_estimate(
    "--tokenizer-sample",
    type=click.IntRange(min=0),
    default=100,
    metavar="N",
    help="Rows of each model to have counted by the provider's tokenizer, unpaid [100].",
)
@_estimate("--retry-errors", is_flag=True, help="Rows are called again that ended in an error.")
@_estimate("--simulate", is_flag=True, help="Ask a local simulator instead of a provider.")
@_estimate("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool, **options: Any) -> None:
    """Estimate tokens and cost of what a run would call, without a paid call.

    Takes INPUT and options as `batcher run` does. Rows that are done in the run directory are not
    counted. The provider's tokenizer counts a sample of the others; where it cannot be asked, the
    documented ratio of characters to tokens stands in for it.
    """
    from batcher.runs.credentials import simulated_job
    from batcher.runs.estimate import Assumptions, Estimator
    from batcher.runs.quote_lines import quote_lines

    job = job_of(options)
    if options["simulate"]:
        job = simulated_job(job)
    assumptions = Assumptions(
        options["output_tokens"], options["tokenizer_sample"], options["retry_errors"]
    )
    callee, untold = _callee(job.provider, assumptions.sample, simulate=options["simulate"])
    portion = portion_of(options)
    quote = Estimator(job, callee, sys.stdin.buffer, assumptions, untold, portion).estimate()
    if as_json:
        click.echo(json.dumps(quote.facts(), ensure_ascii=False))
    else:
        click.echo("\n".join(quote_lines(quote)))


def _callee(spec: ProviderSpec, sample: int, *, simulate: bool) -> tuple[Callee, str | None]:
    """Return whom the run would call, and why the tokenizer is not to be asked, if it is not."""
    from batcher.cli.callee import real_callee
    from batcher.errors import CredentialsError
    from batcher.runs.calling import Callee
    from batcher.runs.credentials import environment, provider_of, simulated_callee
    from batcher.simulator import SimulatorConfig

    untold = None if sample else "no sample was to be counted"
    if simulate:
        return simulated_callee(spec, SimulatorConfig(latency_s=0)), untold
    variables = environment()
    if untold is None:
        try:
            return real_callee(spec, variables), None
        except CredentialsError as error:
            untold = str(error)
    return Callee(provider_of(spec, variables), ()), untold
