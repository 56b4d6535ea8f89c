"""From a server's ledger to the figures of the table. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from batcher.simulator import LedgerEntry
from benchmarks.scenarios import EXHAUSTED, Scenario, Supply

# The last rows cannot fill a server, whoever sends them.
_BEFORE_THE_END = 0.95
_FULL = 0.95
_OK, _TOO_MANY = 200, 429
# Until then, after its first call, a client may be finding out what the rate is.
_SETTLED_S = 10.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one client made of a scenario.

    Attributes:
        seconds: How long its process ran, its start and its end included.
        calls: Calls that reached the server.
        wasted: Those of them that brought no answer, or one for a row that had its answer.
        refused: Share of all calls that were answered with 429.
        refused_later: The same, of those that came after the ramp-up.
        ramp_up_s: Seconds from its first call until the server was full for the first time, and
            a mean answer more, in which what was too much has been refused; None where the
            server was never full, or has a rate to be kept, which needs no ramp-up.
        use: Share of what the server offered that was used, from the end of the ramp-up (else
            from the first call) until 95 % of the answers were there.
        slowdown: How many times longer answers took than on an idle server.
        dead: Rows without an answer in the client's own output.
        behind: Of a rate: by which share the time of the calls that came 10 s after the first or
            later exceeds what the rate allows for so many; None where there is no rate.
    """

    seconds: float
    calls: int
    wasted: int
    refused: float
    refused_later: float
    ramp_up_s: float | None
    use: float
    slowdown: float
    dead: int
    behind: float | None


class _Span(NamedTuple):
    """A time in which nothing changed."""

    since: float
    seconds: float
    in_flight: int
    offered: float


def figures(
    scenario: Scenario, entries: Sequence[LedgerEntry], began: float, seconds: float, answered: int
) -> Figures:
    """Return the figures of a client that ran for so long and has so many answers.

    `began` is when the server started, in Unix seconds as the ledger's.
    """
    answers = [entry for entry in entries if entry.status == _OK]
    arrivals = [entry.arrived_at - began for entry in entries]
    exhausted = (entry.arrived_at - began for entry in entries if entry.code == EXHAUSTED)
    supply = scenario.supply(min(exhausted, default=math.inf))
    first = min(arrivals, default=0.0)
    end = _end(answers, began)
    spans = list(_spans(_visits(entries, began), supply, first, end))
    full_at = None if scenario.is_paced else _full_at(spans)
    ramped = first if full_at is None else min(full_at + _mean_s(answers), end)
    later = [entry for entry in entries if entry.arrived_at - began >= ramped]
    return Figures(
        seconds=seconds,
        calls=len(entries),
        wasted=len(entries) - len({entry.prompt_key for entry in answers}),
        refused=_refused(entries),
        refused_later=_refused(later),
        ramp_up_s=None if full_at is None else ramped - first,
        use=_use(scenario, [span for span in spans if span.since >= ramped], answers, began),
        slowdown=_slowdown(scenario, answers),
        dead=scenario.rows - answered,
        behind=_behind(supply, answers, began) if scenario.is_paced else None,
    )


def _end(answers: Sequence[LedgerEntry], began: float) -> float:
    """Return when the last answers began to come in."""
    ends = sorted(map(_finished_at, answers))
    return ends[math.ceil(len(ends) * _BEFORE_THE_END) - 1] - began if ends else 0.0


def _visits(entries: Iterable[LedgerEntry], began: float) -> Iterator[tuple[float, float]]:
    """Yield from when to when a place was taken; who is refused takes none."""
    for entry in entries:
        if entry.status in {_OK, None}:
            yield entry.arrived_at - began, _finished_at(entry) - began


def _finished_at(entry: LedgerEntry) -> float:
    return math.inf if entry.finished_at is None else entry.finished_at


def _spans(
    visits: Iterable[tuple[float, float]], supply: Supply, since: float, until: float
) -> Iterator[_Span]:
    """Cut a time into spans in which as much is in flight and offered."""
    changes = [(moment, 0) for moment in (since, until, *(start for start, _ in supply.steps))]
    for arrived, left in visits:
        changes += [(arrived, 1), (left, -1)]
    in_flight, before = 0, -math.inf
    for moment, change in sorted(changes):
        start, end = max(before, since), min(moment, until)
        if end > start:
            yield _Span(start, end - start, in_flight, supply.at(start))
        in_flight += change
        before = moment


def _full_at(spans: Iterable[_Span]) -> float | None:
    full = (span.since for span in spans if span.in_flight >= _FULL * span.offered > 0)
    return next(full, None)


def _mean_s(answers: Sequence[LedgerEntry]) -> float:
    return sum(map(_seconds, answers)) / len(answers) if answers else 0.0


def _seconds(entry: LedgerEntry) -> float:
    return _finished_at(entry) - entry.arrived_at


def _refused(entries: Sequence[LedgerEntry]) -> float:
    refused = sum(entry.status == _TOO_MANY for entry in entries)
    return refused / len(entries) if entries else 0.0


def _use(
    scenario: Scenario, spans: Sequence[_Span], answers: Iterable[LedgerEntry], began: float
) -> float:
    """Return which share of what was offered was used; what waits in a queue uses nothing."""
    offered = sum(span.seconds * span.offered for span in spans)
    if not offered:
        return 0.0
    if scenario.is_paced:
        until = spans[-1].since + spans[-1].seconds
        return sum(entry.arrived_at - began <= until for entry in answers) / offered
    return sum(span.seconds * min(span.in_flight, span.offered) for span in spans) / offered


def _behind(supply: Supply, answers: Iterable[LedgerEntry], began: float) -> float | None:
    arrivals = sorted(entry.arrived_at - began for entry in answers)
    since = arrivals[0] + _SETTLED_S if arrivals else math.inf
    rest = [arrival for arrival in arrivals if arrival >= since]
    return (rest[-1] - since) * supply.at(since) / len(rest) - 1 if rest else None


def _slowdown(scenario: Scenario, answers: Sequence[LedgerEntry]) -> float:
    idle = sum(scenario.answer_s[entry.prompt_key] for entry in answers)
    return sum(map(_seconds, answers)) / idle if idle else 0.0
