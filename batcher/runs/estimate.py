"""What a run will cost, before any paid call: its rows are read once, and some are counted."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from batcher.checkpoint import Placement
from batcher.inputs import Dataset
from batcher.job import JobSpec
from batcher.providers import Pricing, Provider, provider_named
from batcher.providers.workload import Answers, Workload
from batcher.records import Failure, Prompt, Request
from batcher.runs.calling import Callee
from batcher.runs.ceilings import check_ceilings
from batcher.runs.earlier import Earlier, earlier_run
from batcher.runs.prepare import Preparation
from batcher.runs.quote import Assumed, Quote
from batcher.runs.rows import open_dataset
from batcher.runs.tokenizing import Sample, Sleep, Tokenized, tokenize, uncounted
from batcher.structured import Structure

# Requests that are looked for in the checkpoint at a time.
_BATCH = 512
# Results of an earlier run whose lengths stand for those to come.
_RESULTS = 1000


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What an estimate goes by: `output_tokens` an answer, None for those the run has had so far.

    `sample` rows of each model are counted by the tokenizer. With `retry_errors`, rows that ended
    in an error will be called again.
    """

    output_tokens: int | None = None
    sample: int = 100
    retry_errors: bool = False


@dataclass(slots=True)
class _Tally:
    """The rows of the input, and what they ask for."""

    workload: Workload
    sample: Sample
    rows: int = 0
    bad: int = 0
    done: int = 0


@dataclass(frozen=True, slots=True)
class Estimator:
    """Estimates a run of `job`; `callee` has the tokenizer, or is the reason why there is none."""

    job: JobSpec
    callee: Callee | str
    stdin: BinaryIO
    assumptions: Assumptions = field(default_factory=Assumptions)
    sleep: Sleep = asyncio.sleep

    def estimate(self) -> Quote:
        """Read the input, look for what is done, have a sample counted, and price what is left.

        Raises:
            InputError, ConfigurationError: an input or the job is unusable as a whole.
            StorageError: the checkpoint of an earlier run is damaged.
        """
        job, wanted = self.job, self.assumptions
        pricing = Pricing.of(job.provider.name, job.prices)
        check_ceilings(job, pricing)
        tally = _Tally(Workload(pricing.models), Sample(wanted.sample))
        with contextlib.ExitStack() as stack:
            spool = stack.enter_context(tempfile.TemporaryDirectory(prefix="batcher-"))
            dataset = open_dataset(job, Path(spool), self.stdin)
            simulated = isinstance(self.callee, Callee) and self.callee.simulator is not None
            earlier = stack.enter_context(
                earlier_run(job, dataset, retry_errors=wanted.retry_errors, simulated=simulated)
            )
            self._read(dataset, earlier, tally)
            tokenized = self._tokenized(tally)
            answers, assumed = self._answers(earlier)
            return Quote(
                job=job,
                rows=tally.rows,
                bad=tally.bad,
                done=tally.done,
                workload=tally.workload,
                portions=tuple(tally.workload.portions(tokenized.ratios, answers, pricing)),
                tokenized=tokenized,
                assumed=assumed,
                pricing=pricing,
                spent=None if earlier is None else earlier.checkpoint.counts(),
                simulated=simulated,
            )

    @property
    def _provider(self) -> Provider:
        """Whose requests are estimated: they depend on whom the run would call."""
        if isinstance(self.callee, Callee):
            return self.callee.provider
        spec = self.job.provider
        return provider_named(spec.name, spec.base_url)

    def _read(self, dataset: Dataset, earlier: Earlier | None, tally: _Tally) -> None:
        structure = Structure.of(self.job.output)
        prepare = Preparation.of(self.job, structure, self._provider, time.time)
        start = earlier.start if earlier else None
        tally.rows = tally.done = start.row if start else 0
        with Placement.alone() as placement:
            for batch in _batches(dataset.rows(start)):
                tally.rows += len(batch)
                pending = [row for row in batch if not _is_done(row, earlier)]
                tally.done += len(batch) - len(pending)
                requests = [
                    prepared for row in pending if isinstance(prepared := prepare(row), Request)
                ]
                tally.bad += len(pending) - len(requests)
                done = earlier.keys(requests) if earlier else set()
                ids = earlier.earlier_ids(requests) if earlier else {}
                for request in requests:
                    first, _ = ids.get(request.id, (request.row, ""))
                    if placement.place(request) is not None or first < request.row:
                        tally.bad += 1
                    elif request.key in done:
                        tally.done += 1
                    else:
                        tally.workload.add(request.body)
                        tally.sample.offer(request)

    def _tokenized(self, tally: _Tally) -> Tokenized:
        if self.assumptions.sample == 0:
            return uncounted(tally.workload.requests, "no sample was to be counted")
        if isinstance(self.callee, str):
            return uncounted(tally.workload.requests, self.callee)
        return asyncio.run(tokenize(tally.sample, self.job, self.callee, self.sleep))

    def _answers(self, earlier: Earlier | None) -> tuple[Answers, Assumed]:
        """Return how long answers are taken to be, and on what ground."""
        if (given := self.assumptions.output_tokens) is not None:
            return Answers([given]), Assumed("given")
        lengths: list[int] = []
        by_model: dict[str, list[int]] = {}
        for result in earlier.checkpoint.some_results(_RESULTS) if earlier else ():
            tokens = result.completion_tokens or 0
            lengths.append(tokens)
            by_model.setdefault(result.model or "", []).append(tokens)
        if not lengths:
            return Answers(), Assumed("bound")
        return Answers(lengths, by_model), Assumed("recorded", len(lengths))


def _is_done(row: Prompt | Failure, earlier: Earlier | None) -> bool:
    return earlier is not None and earlier.done is not None and row.row in earlier.done


def _batches(rows: Iterable[Prompt | Failure]) -> Iterator[list[Prompt | Failure]]:
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield batch
