"""What differs between two runs: a fold over their pairs of outcomes, and what a person reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from batcher.compared import RESPONSE, Compared
from batcher.magnitudes import Magnitudes
from batcher.money import NANOS, amount
from batcher.observe.agreement import Agreement
from batcher.recorded import Recorded
from batcher.records import AnsweredBy
from batcher.wording import counted, printable, table

_SHOWN = 40


@dataclass(slots=True)
class Side:
    """The sums over one run's outcomes; costs in nanos of `currency`."""

    name: str
    model: str | None
    simulated: bool
    currency: str | None
    results: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    answered_by: Counter[str] = field(default_factory=Counter)
    cost: int = 0
    possible_cost: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latencies: Magnitudes = field(default_factory=Magnitudes)

    def add(self, outcome: Recorded) -> None:
        """Count an outcome."""
        if outcome.error_class is None:
            self.results += 1
            self.answered_by[outcome.answered_by] += 1
            self.unpriced += outcome.cost is None
            if outcome.latency_s is not None:
                self.latencies.add(outcome.latency_s)
        else:
            self.errors[outcome.error_class] += 1
        self.cost += outcome.cost or 0
        self.possible_cost += outcome.possible_cost
        self.prompt_tokens += outcome.prompt_tokens or 0
        self.completion_tokens += outcome.completion_tokens or 0

    def facts(self) -> dict[str, object]:
        """Return the sums as JSON values."""
        return {
            "run": self.name,
            "model": self.model,
            "simulated": self.simulated,
            "results": self.results,
            "errors": self.errors.total(),
            "error_classes": dict(self.errors.most_common()),
            "answered_by": dict(self.answered_by),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": self.cost / NANOS,
            "possible_cost": self.possible_cost / NANOS,
            "unpriced": self.unpriced,
            "currency": self.currency,
            "latency_p50_s": self.latencies.quantile(0.5),
            "latency_p95_s": self.latencies.quantile(0.95),
        }


@dataclass(slots=True)
class Difference:
    """Two runs, row by row; `fields` are those of their answers by which they are compared.

    `answered` rows have an answer in both, `changed` ones of them another. `same_input` says
    whether both runs are of the very same input files.
    """

    a: Side
    b: Side
    fields: Sequence[str]
    same_input: bool
    both: int = 0
    only_a: int = 0
    only_b: int = 0
    failed_in_a: int = 0
    failed_in_b: int = 0
    failed_in_both: int = 0
    answered: int = 0
    changed: int = 0
    agreements: dict[str, Agreement] = field(default_factory=dict)

    def add(self, compared: Compared) -> None:
        """Count a pair."""
        a, b = compared.pair
        if a is not None:
            self.a.add(a)
        if b is not None:
            self.b.add(b)
        if a is None or b is None:
            self.only_a += b is None
            self.only_b += a is None
            return
        self.both += 1
        if compared.changed is not None:
            self.answered += 1
            self.changed += compared.changed
            for name, of_a in compared.a.items():
                agreement = self.agreements.setdefault(name, Agreement())
                agreement.add(of_a, compared.b[name])
        else:
            failed = a.error_class is not None, b.error_class is not None
            self.failed_in_both += all(failed)
            self.failed_in_a += failed == (True, False)
            self.failed_in_b += failed == (False, True)

    def facts(self) -> dict[str, object]:
        """Return the difference as JSON values."""
        return {
            "same_input": self.same_input,
            "a": self.a.facts(),
            "b": self.b.facts(),
            "rows": {
                "both": self.both,
                "only_a": self.only_a,
                "only_b": self.only_b,
                "answered_in_both": self.answered,
                "changed": self.changed,
                "error_in_a_only": self.failed_in_a,
                "error_in_b_only": self.failed_in_b,
                "error_in_both": self.failed_in_both,
            },
            "fields": {
                name: {
                    "compared": one.compared,
                    "same": one.same,
                    "agreement": one.share,
                    "kappa": one.kappa,
                    "disagreements": [
                        {"a": _value(a), "b": _value(b), "rows": rows}
                        for a, b, rows in one.disagreements()
                    ],
                }
                for name, one in self.agreements.items()
            },
        }

    def lines(self) -> Iterator[str]:
        """Yield the lines to print."""
        for side, name in ((self.a, "A"), (self.b, "B")):
            simulated = ", SIMULATED" if side.simulated else ""
            yield f"{name}  {side.name}  ({side.model or 'models of the rows'}{simulated})"
        if not self.same_input:
            yield "The inputs are not the same files; rows are joined by their ids."
        yield ""
        yield from table([("", "A", "B"), *_sums(self.a, self.b)])
        yield ""
        only = f"{self.only_a:,} only in A, {self.only_b:,} only in B"
        yield f"{counted(self.both, 'row')} in both, {only}"
        yield from self._errors()
        share = f" ({self.changed / self.answered:.1%})" if self.answered else ""
        yield f"  {self.answered:,} answered in both: {self.changed:,} changed{share}"
        if self.fields and self.agreements:
            yield ""
            yield from table([("field", "agreement", "kappa", "rows"), *self._agreements()])
        for name, agreement in self.agreements.items():
            rows = list(agreement.disagreements())
            if rows:
                yield ""
                yield f"{printable(name)}: most frequent disagreements"
                shown = [(f"  {_shown(a)}", "->", _shown(b), f"{count:,}") for a, b, count in rows]
                yield from table([("  A", "", "B", "rows"), *shown], left=3)

    def _errors(self) -> Iterator[str]:
        counts = (
            (self.failed_in_a, "error in A only"),
            (self.failed_in_b, "error in B only"),
            (self.failed_in_both, "error in both"),
        )
        for rows, what in counts:
            if rows:
                yield f"  {rows:,} {what}"

    def _agreements(self) -> Iterator[tuple[str, ...]]:
        for name, one in self.agreements.items():
            if name != RESPONSE or name in self.fields:
                kappa = "-" if one.kappa is None else f"{one.kappa:.2f}"
                yield printable(name), f"{one.share:.1%}", kappa, f"{one.compared:,}"


def _sums(a: Side, b: Side) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table of both sides."""
    sides = a, b
    yield "results", f"{a.results:,}", f"{b.results:,}"
    for kind in list(AnsweredBy)[1:]:
        if any(side.answered_by[kind] for side in sides):
            yield f"  by {kind}", f"{a.answered_by[kind]:,}", f"{b.answered_by[kind]:,}"
    yield "errors", f"{a.errors.total():,}", f"{b.errors.total():,}"
    for name, _ in (a.errors + b.errors).most_common():
        yield f"  {name}", f"{a.errors[name]:,}", f"{b.errors[name]:,}"
    yield "cost", _money(a, a.cost), _money(b, b.cost)
    if a.possible_cost or b.possible_cost:
        yield "  at most, more", _money(a, a.possible_cost), _money(b, b.possible_cost)
    if any(side.unpriced and side.currency for side in sides):
        yield "  results of unknown cost", f"{a.unpriced:,}", f"{b.unpriced:,}"
    yield "prompt tokens", f"{a.prompt_tokens:,}", f"{b.prompt_tokens:,}"
    yield "completion tokens", f"{a.completion_tokens:,}", f"{b.completion_tokens:,}"
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        yield f"latency {name}", _latency(a, share), _latency(b, share)


def _money(side: Side, nanos: int) -> str:
    return "unknown" if side.currency is None else f"{amount(nanos)} {side.currency}"


def _latency(side: Side, share: float) -> str:
    seconds = side.latencies.quantile(share)
    return "-" if seconds is None else f"{seconds:.2f} s"


def _value(text: str | None) -> object:
    return None if text is None else json.loads(text)


def _shown(text: str | None) -> str:
    """Return a label as it is shown: text without its quotes."""
    value = _value(text)
    shown = printable(value if isinstance(value, str) and value else text or "null")
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
