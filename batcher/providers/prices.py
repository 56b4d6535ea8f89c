"""What calls cost, and the most they can (protocol.md section 8; the list itself is prices.toml).

Money is counted in nanos, whole billionths of a currency's unit, so that sums are exact; what is no
whole nano is rounded up. Prices are found by a model's exact name: a dated version of it may cost
more (some have), so that to a ceiling a name that is not listed has no price.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import msgspec

from batcher.job import PriceSpec
from batcher.money import NANOS
from batcher.providers.worst_tokens import (
    Model,
    has_tools_of_others,
    most_output,
    most_prompt,
)
from batcher.records import Usage

_PER = 1_000_000
# A million units: no call costs as much, whatever its usage or its max_tokens say. So sums stay
# within the 64 bits of a checkpoint.
_MOST = 1_000_000 * NANOS


@dataclass(frozen=True, slots=True)
class Band:
    """Prices in nanos for a million tokens, of calls below both bounds (None: any call)."""

    input: int
    cached: int
    output: int
    input_below: int | None = None
    output_below: int | None = None

    def covers(self, prompt: int, output: int) -> bool:
        """Whether a call of so many tokens falls under this band."""
        return (self.input_below is None or prompt < self.input_below) and (
            self.output_below is None or output < self.output_below
        )

    @property
    def bounds(self) -> str:
        """The calls that these prices are of, in words; empty where that is any call."""
        prompt = "" if self.input_below is None else f"prompts below {self.input_below:,}"
        answer = "" if self.output_below is None else f"answers below {self.output_below:,}"
        return ", ".join(filter(None, (prompt, answer)))

    def cost(self, prompt: float, output: float) -> float:
        """Return the nanos of so many tokens, none of the prompt's in the provider's cache."""
        return (prompt * self.input + output * self.output) / _PER


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that a call can take: tokens of prompt and answer, and their cost in nanos.

    `cost` is None where the price is not known.
    """

    tokens: int
    cost: int | None


@dataclass(frozen=True, slots=True)
class Pricing:
    """The prices and bounds of models by name, all in one currency.

    A call's price is that of the first band that covers it. `unit` is the currency, None where no
    price at all is known; `listed` the day the shipped list was read, `source` where (None without
    a list of this provider). `origin` says whose prices these are, after "the prices of".
    """

    unit: str | None
    prices: Mapping[str, tuple[Band, ...]]
    models: Mapping[str, Model]
    listed: dt.date
    source: str | None = None
    origin: str = ""

    @classmethod
    def of(cls, provider: str, overrides: Mapping[str, PriceSpec]) -> Pricing:
        """Make the prices of a provider's list, with those of a job, which win, over them.

        The prices of a job are all in one currency, see `load_job`; where it is another than the
        list's, only they count.
        """
        listing = _listing()
        own = listing.providers.get(provider, _Listed())
        unit = next((price.currency for price in overrides.values()), own.currency)
        prices: dict[str, tuple[Band, ...]] = {}
        origins = ["the job"] if overrides else []
        if own.prices and own.currency == unit:
            origins.append(str(listing.listed))
            prices |= {model: tuple(map(_band, bands)) for model, bands in own.prices.items()}
        prices |= {model: (_overriding(price),) for model, price in overrides.items()}
        models = dict(listing.models)
        for model, price in overrides.items():
            known = models.get(model, Model())
            models[model] = Model(
                price.context or known.context, price.max_output or known.max_output
            )
        return cls(unit, prices, models, listing.listed, own.source, " and of ".join(origins))

    def currency(self, model: str) -> str | None:
        """Return the currency that calls of `model` are paid in, None where it has no price."""
        return self.unit if model in self.prices else None

    def band(self, model: str, prompt: int, output: int) -> Band | None:
        """Return the prices of a call of so many tokens, None where the model has none."""
        bands = self.prices.get(model)
        return None if bands is None else _reachable(bands, prompt, output)[-1]

    def cost(self, model: str, usage: Usage) -> int | None:
        """Return the nanos that an answer cost, None where its price or its tokens are unknown.

        Cached tokens are among those of the prompt and have a price of their own; reasoning is
        among those of the answer.
        """
        prompt, output = usage.prompt_tokens, usage.completion_tokens
        if prompt is None or output is None:
            return None
        band = self.band(model, prompt, output)
        if band is None:
            return None
        cached = min(usage.cached_tokens or 0, prompt)
        whole = (prompt - cached) * band.input + cached * band.cached + output * band.output
        cost = _per_token(whole)
        return cost if cost <= _MOST else None

    def worst_case(self, body: Mapping[str, object]) -> Worst | None:
        """Return the most that a call with this request body can take, None where it has no bound.

        An upper bound, not an estimate: see `worst_tokens`. With a tool that is no function of
        the user's its cost is unknown, since the fees of such tools are in no list here.
        """
        name = str(body.get("model"))
        model = self.models.get(name, Model())
        prompt, output = most_prompt(body, model), most_output(body, model)
        if prompt is None or output is None:
            return None
        if name not in self.prices or has_tools_of_others(body):
            return Worst(prompt + output, None)
        costs = (
            _per_token(prompt * max(band.input, band.cached) + output * band.output)
            for band in _reachable(self.prices[name], prompt, output)
        )
        return Worst(prompt + output, min(max(costs), _MOST))


def listed_models() -> Mapping[str, Model]:
    """Return the bounds of the models that are listed, by name."""
    return _listing().models


def _reachable(bands: tuple[Band, ...], prompt: int, output: int) -> tuple[Band, ...]:
    """Return the bands that calls up to so many tokens can fall under; the last covers the most."""
    covering = next(at for at, band in enumerate(bands) if band.covers(prompt, output))
    return bands[: covering + 1]


def _per_token(nanos: int) -> int:
    """Return what was summed up by prices of a million tokens, rounded up."""
    return -(-nanos // _PER)


class _ListedBand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    input: Decimal
    cached: Decimal
    output: Decimal
    input_below: int | None = None
    output_below: int | None = None


class _Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    currency: str | None = None
    source: str | None = None
    prices: dict[str, list[_ListedBand]] = {}


class _Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    listed: dt.date
    models: dict[str, Model]
    providers: dict[str, _Listed]


@functools.cache
def _listing() -> _Listing:
    file = importlib.resources.files(__package__) / "prices.toml"
    return msgspec.toml.decode(file.read_bytes(), type=_Listing)


def _band(listed: _ListedBand) -> Band:
    return Band(
        _nanos(listed.input),
        _nanos(listed.cached),
        _nanos(listed.output),
        listed.input_below,
        listed.output_below,
    )


def _overriding(price: PriceSpec) -> Band:
    cached = price.input if price.cached is None else price.cached
    # By their text: 0.1 is meant as the decimal, not as the nearest binary fraction.
    return Band(*(_nanos(Decimal(str(one))) for one in (price.input, cached, price.output)))


def _nanos(price: Decimal) -> int:
    return int((price * NANOS).to_integral_value(ROUND_CEILING))
