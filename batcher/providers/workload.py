"""What a job asks for, in flat memory: how many requests of about which length, and their cost.

Prices go by bands of each request's tokens, and how many tokens those are is known only when all
rows have been read and a sample of them has been counted. So lengths are kept to 1 in 128, a count
and a sum for each, until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from batcher.providers.prices import Band, Pricing
from batcher.providers.token_ratio import TokenRatio
from batcher.providers.tokens import count_tokens, estimate_tokens
from batcher.providers.worst_tokens import Model, has_tools_of_others, most_output

_BITS = 8


@dataclass(frozen=True, slots=True)
class Answers:
    """How many tokens answers are taken to have.

    `by_model` are lengths that answers of a model had, `lengths` those of all models; without any
    of both an answer has as many as it may. `prompts` is how many times the tokens of its prompt
    an answer takes: more than once, where answers are asked for again.
    """

    lengths: Sequence[int] = ()
    by_model: Mapping[str, Sequence[int]] = field(default_factory=dict)
    prompts: float = 1.0

    def shares(self, model: str) -> Mapping[int, float]:
        """Return by length which share of a model's answers has it; empty where nothing is known.

        Lengths that are alike are put together, under their mean.
        """
        lengths = self.by_model.get(model) or self.lengths
        groups: dict[int, list[int]] = {}
        for length in lengths:
            groups.setdefault(_rounded(length), []).append(length)
        return {
            round(sum(group) / len(group)): len(group) / len(lengths) for group in groups.values()
        }


@dataclass(frozen=True, slots=True)
class BandTotal:
    """The requests that are priced alike: those of a model that fall under one band.

    `band` is None where the model has no price, and `output_tokens` where nothing bounds its
    answers. `cost` is in nanos, None where one of the two is unknown.
    """

    model: str
    band: Band | None
    requests: float
    prompt_tokens: float
    output_tokens: float | None
    cost: float | None


@dataclass(slots=True)
class _Cell:
    """Requests of about the same length, that may be answered at about the same length."""

    requests: int = 0
    prompt_tokens: int = 0
    most_output: int = 0

    def add(self, prompt_tokens: int, most_output: int) -> None:
        self.requests += 1
        self.prompt_tokens += prompt_tokens
        self.most_output += most_output


@dataclass(slots=True)
class Workload:
    """The requests of a job, by their model and their lengths as estimated.

    `images` counts the parts of messages that are no text, and `paid_tools` the requests with tools
    that have fees of their own: neither is in any estimate.
    """

    models: Mapping[str, Model]
    images: int = 0
    paid_tools: int = 0
    _cells: dict[tuple[str, int, int | None], _Cell] = field(default_factory=dict)

    def add(self, body: Mapping[str, object]) -> None:
        """Count a request."""
        model = str(body.get("model"))
        prompt = prompt_tokens(body)
        most = most_output(body, self.models.get(model, Model()))
        kind = (model, _rounded(prompt), None if most is None else _rounded(most))
        self._cells.setdefault(kind, _Cell()).add(prompt, most or 0)
        self.images += _images(body)
        self.paid_tools += has_tools_of_others(body)

    @property
    def requests(self) -> Mapping[str, int]:
        """How many requests there are of each model."""
        counts: dict[str, int] = {}
        for (model, _, _), cell in self._cells.items():
            counts[model] = counts.get(model, 0) + cell.requests
        return counts

    def band_totals(
        self, ratios: Mapping[str, TokenRatio], answers: Answers, pricing: Pricing
    ) -> Iterator[BandTotal]:
        """Yield what is asked for by model and band, the models and bands in their order.

        `ratios` are those of models of which a sample was counted.
        """
        for model in self.requests:
            sums: dict[Band | None, list[float]] = {}
            unbounded = False
            shares = answers.shares(model)
            for count, prompt, most in self._of(model, ratios.get(model, TokenRatio())):
                unbounded |= most is None and not shares
                for length, share in (shares or {most or 0: 1.0}).items():
                    answer = min(length, most or length) if answers.prompts == 1 else length
                    band = pricing.band(model, round(prompt), answer)
                    total = sums.setdefault(band, [0.0, 0.0, 0.0])
                    for at, one in enumerate((1, prompt * answers.prompts, answer)):
                        total[at] += one * share * count
            order = pricing.prices.get(model, ())
            for band, (requests, tokens, output) in sorted(
                sums.items(), key=lambda item: order.index(item[0]) if item[0] else 0
            ):
                yield BandTotal(
                    model,
                    band,
                    requests,
                    tokens,
                    None if unbounded else output,
                    None if unbounded or band is None else band.cost(tokens, output),
                )

    def _of(self, model: str, ratio: TokenRatio) -> Iterator[tuple[int, float, int | None]]:
        """Yield requests of a model: how many, the tokens of each prompt, and of its answer."""
        for (name, _, most), cell in self._cells.items():
            if name == model:
                prompt = cell.prompt_tokens / cell.requests * ratio.value
                yield (
                    cell.requests,
                    prompt,
                    None if most is None else round(cell.most_output / cell.requests),
                )


def prompt_tokens(body: Mapping[str, object]) -> int:
    """Estimate the tokens of a prompt by the documented ratio, those of its tools among them.

    How a model reads a tool is not documented; its JSON is counted as text.
    """
    tools = body.get("tools")
    described = count_tokens(msgspec.json.encode(tools).decode()) if tools else 0
    return estimate_tokens(body) + described


def _rounded(tokens: int) -> int:
    """Return the first of the numbers that are about alike: those with the same leading bits."""
    shift = max(0, tokens.bit_length() - _BITS)
    return tokens >> shift << shift


def _images(body: Mapping[str, object]) -> int:
    messages = body.get("messages")
    contents = (
        [message.get("content") for message in messages] if isinstance(messages, list) else []
    )
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return sum(isinstance(part, Mapping) and part.get("type") != "text" for part in parts)
