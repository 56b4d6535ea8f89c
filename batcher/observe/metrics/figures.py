"""The figures of a run: counted as it happens, put together when someone asks.

A call costs a few additions. All else is done in the thread that asks: the sums over the whole run
are read from its checkpoint then, the only place where they are right after errors were called
again.
"""

from __future__ import annotations

import itertools
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from batcher.errors import StorageError
from batcher.history import Ended
from batcher.limits import Flow
from batcher.money import NANOS
from batcher.observe.metrics import families
from batcher.observe.metrics.families import Family
from batcher.observe.tally import Tally
from batcher.recorded import NOTHING_YET, Counts
from batcher.records import Completion, Exchange

OK = "ok"
"""The outcome of an attempt that brought an answer; the others are classes of errors."""

FAILED = "failed"
"""How calls ended that an error of this program or its machine broke off."""

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the durations' buckets; a longer call falls into a last one."""


_NO_FLOW = Flow(0, 0)


class RunFacts(NamedTuple):
    """What is known of a run from the start; `run` is the name of its directory.

    `model` is empty where only rows name theirs. `address` and `port` are the provider's, None
    where the simulator stands in for it; `streamed` says whether answers come in pieces.
    """

    run: str
    version: str
    provider: str
    model: str
    simulated: bool
    address: str | None = None
    port: int | None = None
    streamed: bool = False


class Spread(NamedTuple):
    """Values by bucket, each count with those of the smaller ones in it; and their sum."""

    buckets: Sequence[int]
    total: float


class Sample(NamedTuple):
    """A value of a family, by the values of its own labels."""

    labels: tuple[str, ...]
    value: float | Spread


Samples = Mapping[Family, Sequence[Sample]]


@dataclass(slots=True)
class _Durations:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Figures:
    """A watcher that counts, and says how a run stands, to any thread.

    `read_counts` reads the sums over the whole run. With `whole`, all rows of the input are to be
    done. Moments are read from `clock` (Unix seconds).
    """

    facts: RunFacts
    read_counts: Callable[[], Counts]
    whole: bool = True
    clock: Callable[[], float] = time.time
    tally: Tally = field(default_factory=Tally)
    repairs: int = 0
    ended: str | None = None
    tokens: Counter[str] = field(default_factory=Counter)
    _durations: dict[str, _Durations] = field(default_factory=dict)
    _flow: Callable[[], Flow] | None = None
    _seen: Flow = _NO_FLOW
    _counts: Counts = NOTHING_YET
    _rows: int = 0
    _started_at: float | None = None
    _recorded_at: float | None = None
    _completed_at: float | None = None

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        """Keep what will stay current."""
        self.tally, self._flow, self._counts = tally, flow, tally.earlier
        self._started_at = self.clock()
        self._look()

    def attempted(self, row: int, exchange: Exchange) -> None:  # noqa: ARG002 -- no matter which
        """Count a call."""
        attempt, completion = exchange.attempt, exchange.completion
        outcome = OK if attempt.problem is None else attempt.problem.error_class.value
        durations = self._durations.get(outcome)
        if durations is None:
            durations = self._durations[outcome] = _Durations()
        durations.add(attempt.latency)
        # One that follows another, which did not fail, asks for a better answer.
        self.repairs += attempt.number > 1 and not attempt.retry
        if completion is not None:
            self._count_tokens(completion)

    def pulse(self) -> None:
        """Look how calls flow, since no other thread may."""
        self._look()

    def notice(self, text: str) -> None:
        """Nothing: sentences are no figures."""

    def finished(self) -> None:
        """Look a last time."""
        self._look()

    def end(self, how: Ended | None) -> None:
        """Take down how the calls ended, None if by an error."""
        self.ended = FAILED if how is None else how.value
        if how is Ended.DONE:
            self._completed_at = self.clock()
        self._look()

    def _look(self) -> None:
        if self._flow is not None:
            self._seen = self._flow()
        if self.tally.rows != self._rows:
            self._rows, self._recorded_at = self.tally.rows, self.clock()

    def _count_tokens(self, completion: Completion) -> None:
        usage, tokens = completion.usage, self.tokens
        tokens["prompt"] += usage.prompt_tokens or 0
        tokens["completion"] += usage.completion_tokens or 0
        tokens["cached"] += usage.cached_tokens or 0
        tokens["reasoning"] += usage.reasoning_tokens or 0

    def counts(self) -> Counts:
        """Return the sums over the whole run, or the last ones known where they cannot be read."""
        try:
            self._counts = self.read_counts()
        except StorageError:
            # The run itself says so, if its checkpoint cannot be read.
            return self._counts
        return self._counts

    def samples(self) -> Samples:
        """Return all values of now; families without any are left out."""
        found: dict[Family, list[Sample]] = {}
        for family, value, *labels in itertools.chain(self._of_run(), self._of_process()):
            if value is not None:
                found.setdefault(family, []).append(Sample(tuple(labels), value))
        return {family: found[family] for family in families.FAMILIES if family in found}

    def _of_run(self) -> Iterator[tuple[Family, float | None, *tuple[str, ...]]]:
        counts = self.counts()
        yield families.ROWS, counts.results, "result"
        yield families.ROWS, counts.error_rows, "error"
        yield families.ROWS, self._pending(counts), "pending"
        for error_class, rows in counts.errors.items():
            yield families.ERROR_ROWS, rows, error_class.value
        if counts.currency is not None and counts.has_cost:
            yield families.RUN_COST, counts.cost / NANOS, counts.currency
            yield families.RUN_POSSIBLE_COST, counts.possible_cost / NANOS, counts.currency
            tally = self.tally
            yield families.COST, tally.cost / NANOS, counts.currency
            yield families.POSSIBLE_COST, tally.possible_cost / NANOS, counts.currency

    def _pending(self, counts: Counts) -> int | None:
        """Count rows without an outcome, where their number is known."""
        tally = self.tally
        if not self.whole and tally.chosen is None:
            return tally.left
        return None if tally.total is None else max(0, tally.total - counts.rows)

    def _of_process(self) -> Iterator[tuple[Family, float | Spread | None, *tuple[str, ...]]]:
        facts, flow, tally = self.facts, self._seen, self.tally
        simulated = str(facts.simulated).lower()
        yield families.INFO, 1, facts.version, facts.provider, facts.model, simulated
        yield families.ACTIVE, int(self.ended is None)
        for how in (*(how.value for how in Ended), FAILED):
            yield families.ENDED, int(how == self.ended), how
        yield families.STARTED_AT, self._started_at
        yield families.RECORDED_AT, self._recorded_at
        yield families.COMPLETED_AT, self._completed_at
        yield families.ROWS_LEFT, tally.left
        yield families.IN_FLIGHT, flow.in_flight
        yield families.LIMIT, flow.limit
        yield families.PAUSED, int(flow.waiting is not None)
        yield families.RETRIES, tally.retries
        yield families.REPAIRS, self.repairs
        for kind in ("prompt", "completion", "cached", "reasoning"):
            yield families.TOKENS, self.tokens[kind], kind
        # A copy, since a call may end meanwhile; before the first, an outcome is there with 0.
        for outcome, durations in ({OK: _Durations()} | self._durations).items():
            buckets = tuple(itertools.accumulate(durations.counts))
            yield families.ATTEMPTS, buckets[-1], outcome
            yield families.DURATION, Spread(buckets, durations.total), outcome
