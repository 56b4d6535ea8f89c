"""The ceilings that a user sets: each ends a run in order, with rows pending.

Money and tokens are counted over all processes of a run, for what is spent stays spent. Rows,
errors and time are those of one process: the same command again goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from batcher.checkpoint import BESIDE, SPENT_COST, SPENT_TOKENS
from batcher.engine.policy.spending import Ceiling, PutDown, Spending
from batcher.errors import ConfigurationError, Halt
from batcher.job import CeilingSpec, JobSpec
from batcher.money import Money, amount, money_of
from batcher.providers import Pricing
from batcher.recorded import Counts

# Fewer rows say nothing of a rate.
RATED_ROWS = 100

_WORST = (
    "the worst case of one more call would exceed it. A max_tokens parameter makes that smaller; "
    "the same command with a higher ceiling goes on."
)


@dataclass(frozen=True, slots=True)
class Spent:
    """The most that a run may have spent so far: `cost` in nanos, and `tokens`.

    `untold` is how much of the cost is in no count: a process that was killed may have spent it.
    """

    cost: int = 0
    tokens: int = 0
    untold: int = 0


def spent_at_most(counts: Counts, fact: Callable[[str], object]) -> Spent:
    """Return what a run may have spent that has `counts`.

    `fact` reads what a process put down before it spent it, which may be more where it was killed,
    and how much was in no count before.
    """

    def most(recorded: int, name: str) -> int:
        return max(recorded + _amount(fact(BESIDE[name])), _amount(fact(name)))

    cost, tokens = most(counts.most_cost, SPENT_COST), most(counts.tokens, SPENT_TOKENS)
    return Spent(cost, tokens, cost - counts.most_cost)


def beside(counts: Counts, fact: Callable[[str], object]) -> dict[str, object]:
    """Return what a process is to remember as it begins: what may be spent and is in no count."""
    spent = spent_at_most(counts, fact)
    amounts = {SPENT_COST: spent.untold, SPENT_TOKENS: spent.tokens - counts.tokens}
    return {BESIDE[name]: amount for name, amount in amounts.items() if amount}


def check_ceilings(job: JobSpec, pricing: Pricing) -> None:
    """Make sure that the ceilings of a job can be kept.

    Raises:
        ConfigurationError: the one for money is in another currency than the prices, or the job's
            model has none.
    """
    if job.ceilings.max_cost is not None:
        _check_currency(money_of(job.ceilings.max_cost), job, pricing)


def spending(
    job: JobSpec,
    counts: Counts,
    fact: Callable[[str], object],
    put_down: Callable[[str, int], PutDown],
) -> Spending:
    """Return the ceilings for money and tokens of a run; see `spent_at_most`.

    `put_down` returns what writes such a fact from the amount on that it has now.
    """
    spec, spent = job.ceilings, spent_at_most(counts, fact)
    cost = tokens = None
    if spec.max_cost is not None:
        most = money_of(spec.max_cost)
        killed = f" {untold(spent, most.currency)}." if spent.untold else ""
        cost = Ceiling(
            most.nanos,
            spent.cost,
            f"Stopped at the ceiling of {most} (--max-cost): {_WORST}{killed}",
            put_down(SPENT_COST, spent.cost),
        )
    if spec.max_tokens_total is not None:
        tokens = Ceiling(
            spec.max_tokens_total,
            spent.tokens,
            f"Stopped at the ceiling of {spec.max_tokens_total:,} tokens (--max-tokens-total): "
            f"{_WORST}",
            put_down(SPENT_TOKENS, spent.tokens),
        )
    return Spending(cost, tokens)


def untold(spent: Spent, currency: str) -> str:
    """Say how much of what was spent at most is in no count."""
    most = f"At most {amount(spent.untold)} {currency} more"
    return f"{most} may have been spent by a process that was killed"


@dataclass(slots=True)
class Progress:
    """Counts the rows of this process against their ceilings."""

    spec: CeilingSpec
    called: int = 0
    errors: int = 0
    rows: int = 0

    @property
    def may_call(self) -> bool:
        """Whether another row may be called."""
        return self.spec.max_rows is None or self.called < self.spec.max_rows

    @property
    def rows_called(self) -> Halt:
        """Why no further row is called."""
        reason = f"Stopped after {self.called:,} rows (--max-rows). The same command goes on."
        return Halt(reason, ceiling=True)

    def counted(self, *, error: bool) -> Halt | None:
        """Count a row that has its outcome; return why the run stops, if it does."""
        self.rows += 1
        self.errors += error
        spec = self.spec
        if spec.max_errors is not None and self.errors > spec.max_errors:
            return Halt(
                f"Stopped: {self.errors:,} rows ended in errors (--max-errors "
                f"{spec.max_errors:,}). Look at errors.parquet, then run the same command again",
                ceiling=True,
            )
        if (
            spec.max_error_rate is not None
            and self.rows >= RATED_ROWS
            and self.errors * 100 > Fraction(spec.max_error_rate[:-1]) * self.rows
        ):
            return Halt(
                f"Stopped: {self.errors:,} of {self.rows:,} rows ended in errors "
                f"(--max-error-rate {spec.max_error_rate}). Look at errors.parquet, then run the "
                "same command again",
                ceiling=True,
            )
        return None


def currency_of(job: JobSpec, pricing: Pricing) -> str | None:
    """Return what the calls of a job are paid in, None where no price of its model is known."""
    model = job.provider.model
    return pricing.unit if model is None else pricing.currency(model)


def check_costs(job: JobSpec, pricing: Pricing) -> None:
    """Make sure that what calls cost can be compared with `cost_over`.

    Raises:
        ConfigurationError: no price is known, or they are in another currency.
    """
    costs = job.alerts.costs
    if not costs:
        return
    known, wanted = currency_of(job, pricing), money_of(costs[0]).currency
    if known is None:
        raise ConfigurationError(
            f"no price is known for {job.provider.model or 'any model'}, so that [alerts] "
            "cost_over could never be passed; write it into the job ([prices], docs/job-file.md)"
        )
    if known != wanted:
        raise ConfigurationError(
            f"[alerts] cost_over is in {wanted}, but prices are in {known}; write it in {known}"
        )


def _check_currency(most: Money, job: JobSpec, pricing: Pricing) -> None:
    model, currency = job.provider.model, currency_of(job, pricing)
    if currency is None:
        raise ConfigurationError(
            f"no price is known for {model or 'any model'}, so that --max-cost cannot be kept; "
            f'write it into the job: [prices."{model or "MODEL"}"] (docs/job-file.md), or use '
            "--max-tokens-total"
        )
    if currency != most.currency:
        raise ConfigurationError(
            f"--max-cost is in {most.currency}, but prices are in {currency}; "
            f"write it in {currency}, or the prices of your account into the job ([prices])"
        )


def _amount(fact: object) -> int:
    return fact if isinstance(fact, int) else 0
