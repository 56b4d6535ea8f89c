"""What a run will cost, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from batcher.job import JobSpec
from batcher.money import NANOS, money_of
from batcher.providers import Pricing
from batcher.providers.token_ratio import TokenRatio
from batcher.providers.workload import BandTotal, Workload
from batcher.recorded import Counts
from batcher.runs.ceilings import Spent
from batcher.runs.tokenizing import Tokenized
from batcher.wording import counted


@dataclass(frozen=True, slots=True)
class Assumed:
    """Where the lengths of answers come from.

    They are given, those of `results` of this run, or the most that answers may have. As in those
    results, an answer takes `prompts` times the tokens of its prompt.
    """

    ground: Literal["given", "recorded", "bound"]
    results: int = 0
    prompts: float = 1.0

    @property
    def words(self) -> str:
        """The ground of the assumption, for the user."""
        match self.ground:
            case "given":
                return "as --output-tokens says"
            case "recorded":
                return f"as long as those of {counted(self.results, 'result')} of this run"
            case "bound":
                return (
                    "as long as they can be; --output-tokens N, or a first run with --limit 50, "
                    "tells better"
                )


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the input, or their records where each has several samples; see `Pending`."""

    total: int
    bad: int
    done: int
    shared: int


@dataclass(frozen=True, slots=True)
class Fit:
    """How a ceiling (`name`) is met: by what is spent and what is to come, as shown to the user."""

    name: str
    most: float
    spent: float
    to_come: float

    @property
    def holds(self) -> bool:
        """Whether the run ends before the ceiling does."""
        return self.spent + self.to_come <= self.most

    @property
    def share(self) -> float:
        """Which share of what is to come there is room for."""
        left = max(0.0, self.most - self.spent)
        return 1.0 if self.holds else left / self.to_come


@dataclass(frozen=True, slots=True)
class Quote:
    """What is left of a job, what it asks for, and what that costs.

    `counts` is what a previous run of the directory has, None where there was none, and `spent` the
    most that it may have spent.
    """

    job: JobSpec
    rows: Rows
    workload: Workload
    totals: Sequence[BandTotal]
    tokenized: Tokenized
    assumed: Assumed
    pricing: Pricing
    counts: Counts | None
    spent: Spent
    simulated: bool

    @property
    def requests(self) -> int:
        """Calls to be made, if each succeeds at once."""
        return sum(self.workload.requests.values())

    @property
    def prompt_tokens(self) -> float:
        """Tokens of all prompts."""
        return sum(total.prompt_tokens for total in self.totals)

    @property
    def prompt_error(self) -> float:
        """How far off the tokens of the prompts may be, with 95 %, as far as a sample tells."""
        ratios = self.tokenized.ratios
        return sum(
            total.prompt_tokens * ratio.error / ratio.value
            for total in self.totals
            if (ratio := ratios.get(total.model, TokenRatio())).value
        )

    @property
    def output_tokens(self) -> float | None:
        """Tokens of all answers, None where those of a model have no bound."""
        return _sum(total.output_tokens for total in self.totals)

    @property
    def cost(self) -> float | None:
        """Nanos of all calls, None where a price is not known."""
        return _sum(total.cost for total in self.totals)

    @property
    def unpriced(self) -> list[str]:
        """Models whose price is not known."""
        return sorted({total.model for total in self.totals if total.band is None})

    @property
    def unbounded(self) -> list[str]:
        """Models whose answers may be of any length."""
        return sorted({p.model for p in self.totals if p.output_tokens is None})

    def fits(self) -> Iterator[Fit]:
        """Yield how the ceilings of the job are met, as far as they are known."""
        ceilings, spent = self.job.ceilings, self.spent
        if ceilings.max_cost is not None and self.cost is not None:
            most = money_of(ceilings.max_cost).nanos
            yield Fit("max_cost", most / NANOS, spent.cost / NANOS, self.cost / NANOS)
        if ceilings.max_tokens_total is not None and self.output_tokens is not None:
            to_come = self.prompt_tokens + self.output_tokens
            yield Fit("max_tokens_total", ceilings.max_tokens_total, spent.tokens, to_come)

    def facts(self) -> dict[str, object]:
        """Return the estimate as JSON values; costs in units of `currency`."""
        pricing, counts = self.pricing, self.counts
        return {
            "rows": self.rows.total // self.job.sampling.samples,
            "samples": self.job.sampling.samples,
            "records": self.rows.total,
            "bad": self.rows.bad,
            "done": self.rows.done,
            "shared": self.rows.shared,
            "requests": self.requests,
            "prompt_tokens": round(self.prompt_tokens),
            "prompt_tokens_error": round(self.prompt_error),
            "output_tokens": _rounded(self.output_tokens),
            "output_tokens_are": self.assumed.ground,
            "prompts_an_answer": self.assumed.prompts,
            "cost": _units(self.cost),
            "currency": pricing.unit,
            "prices_of": pricing.origin or None,
            "price_source": pricing.source,
            "spent": counts.cost / NANOS if counts else 0,
            "spent_possibly": (counts.possible_cost + self.spent.untold) / NANOS if counts else 0,
            "unpriced_models": self.unpriced,
            "unbounded_models": self.unbounded,
            "images": self.workload.images,
            "simulated": self.simulated,
            "ratios": {
                model: {
                    "value": ratio.value,
                    "error": ratio.error,
                    "low": ratio.low,
                    "high": ratio.high,
                    "rows": ratio.rows,
                }
                for model, ratio in self.tokenized.ratios.items()
            },
            "uncounted": dict(self.tokenized.reasons),
            "bands": [
                {
                    "model": total.model,
                    "input_below": total.band.input_below if total.band else None,
                    "output_below": total.band.output_below if total.band else None,
                    "requests": round(total.requests),
                    "prompt_tokens": round(total.prompt_tokens),
                    "output_tokens": _rounded(total.output_tokens),
                    "cost": _units(total.cost),
                }
                for total in self.totals
            ],
            "ceilings": {
                fit.name: {
                    "most": fit.most,
                    "spent": fit.spent,
                    "to_come": fit.to_come,
                    "holds": fit.holds,
                }
                for fit in self.fits()
            },
        }


def _sum(numbers: Iterator[float | None]) -> float | None:
    """Return a sum, None where a number is not known."""
    total = 0.0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def _rounded(number: float | None) -> int | None:
    return None if number is None else round(number)


def _units(nanos: float | None) -> float | None:
    return None if nanos is None else round(nanos) / NANOS
