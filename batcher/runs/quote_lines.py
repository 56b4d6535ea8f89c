"""What a run will cost, in lines to print."""

from __future__ import annotations

from collections.abc import Iterator

from batcher.money import amount
from batcher.runs.ceilings import untold
from batcher.runs.quote import Fit, Quote
from batcher.wording import counted, extent, table

_HEAD = ("model", "requests", "prompt tokens", "output tokens", "cost", "")


def quote_lines(quote: Quote) -> Iterator[str]:
    """Yield the estimate as lines to print."""
    if quote.simulated:
        yield "SIMULATED: tokens are counted by the simulator; no provider was asked."
    rows = quote.rows
    bad = f", {rows.bad:,} bad" if rows.bad else ""
    samples = quote.job.sampling.samples
    total = counted(rows.total, "row") if samples == 1 else extent(rows.total, samples)
    yield f"{rows.done:,} of {total} are done{bad}"
    if rows.shared:
        yield f"  shared    {rows.shared:,} need no call: the same was asked before"
    yield f"  requests  {quote.requests:,} to be made, if each is answered at once"
    error = f" (± {quote.prompt_error:,.0f})" if quote.prompt_error >= 1 else ""
    yield f"  prompts   about {quote.prompt_tokens:,.0f} tokens{error}"
    yield from (f"            {line}" for line in _grounds(quote))
    if quote.output_tokens is not None:
        about = "at most" if quote.assumed.ground == "bound" else "about"
        yield f"  answers   {about} {quote.output_tokens:,.0f} tokens: {quote.assumed.words}"
    for model in quote.unbounded:
        yield (
            f"  answers   of {model} have no known bound: set max_tokens, or say how long they "
            "are with --output-tokens N"
        )
    yield from _costs(quote)
    for fit in quote.fits():
        yield f"  ceiling   {_met(quote, fit)}"


def _grounds(quote: Quote) -> Iterator[str]:
    """Say what the tokens of the prompts go by."""
    for model, ratio in quote.tokenized.ratios.items():
        yield (
            f"{model}: {ratio.value:.2f} times the documented ratio, by its tokenizer on "
            f"{counted(ratio.rows, 'row')} (single rows {ratio.low:.2f} to {ratio.high:.2f})"
        )
    for model, reason in quote.tokenized.reasons.items():
        some = model in quote.tokenized.ratios
        what = "not all of the sample was counted" if some else "by the documented ratio"
        yield f"{model}: {what}: {reason}"
    if quote.assumed.prompts > 1:
        yield f"{quote.assumed.prompts:.2f} times over, as answers of this run were asked again"
    if quote.workload.images:
        images = counted(quote.workload.images, "image or other part")
        yield f"without {images}, whose tokens are not documented"


def _costs(quote: Quote) -> Iterator[str]:
    cost, unit = quote.cost, quote.pricing.unit
    if quote.totals:
        yield from (f"            {line}" for line in _table(quote))
    about = "at most" if quote.assumed.ground == "bound" else "about"
    if cost is not None and unit is not None:
        source = f"; today's stand at {quote.pricing.source}" if quote.pricing.source else ""
        yield (
            f"  cost      {about} {amount(round(cost))} {unit} by the prices of "
            f"{quote.pricing.origin}{source}"
        )
        yield "            no cached tokens are assumed, which cost less, and no retries"
    if quote.workload.paid_tools:
        calls = counted(quote.workload.paid_tools, "request")
        yield f"            without the fees of tools that {calls} may use"
    for model in quote.unpriced:
        yield (
            f"  cost      no price is known for {model}: write it into a job, under "
            f'[prices."{model}"] (docs/job-file.md)'
        )
    counts = quote.counts
    if counts is not None and counts.currency is not None:
        possible = counts.possible_cost
        more = f", at most {amount(possible)} more without an answer" if possible else ""
        yield f"  spent     {amount(counts.cost)} {counts.currency} so far{more}"
    if quote.spent.untold and quote.pricing.unit is not None:
        yield f"            {untold(quote.spent, quote.pricing.unit)}"


def _table(quote: Quote) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [_HEAD]
    for total in quote.totals:
        cost = "" if total.cost is None else amount(round(total.cost))
        output = "" if total.output_tokens is None else f"{total.output_tokens:,.0f}"
        figures = (f"{total.requests:,.0f}", f"{total.prompt_tokens:,.0f}", output, cost)
        rows.append((total.model, *figures, total.band.bounds if total.band else ""))
    if len(quote.totals) > 1:
        sums = (f"{quote.requests:,}", f"{quote.prompt_tokens:,.0f}")
        output = "" if quote.output_tokens is None else f"{quote.output_tokens:,.0f}"
        cost = "" if quote.cost is None else amount(round(quote.cost))
        rows.append(("total", *sums, output, cost, ""))
    return table(rows, noted=True)


def _met(quote: Quote, fit: Fit) -> str:
    is_money = fit.name == "max_cost"
    most = quote.job.ceilings.max_cost if is_money else f"{fit.most:,.0f} tokens"
    option = f"--{fit.name.replace('_', '-')} {most}"
    if fit.holds:
        return f"{option} holds"
    rows = fit.share * quote.requests
    surely = " if answers are as long as they can be" if quote.assumed.ground == "bound" else ""
    return f"{option} ends the run after about {rows:,.0f} of these requests{surely}"
