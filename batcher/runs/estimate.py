"""What a run will cost, before any paid call: its rows are read once, and some are counted."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from batcher.inputs import Rows as InMemory
from batcher.job import JobSpec
from batcher.providers.workload import Answers, Workload
from batcher.runs.calling import Callee, pricing_of
from batcher.runs.ceilings import Spent, check_ceilings, spent_at_most
from batcher.runs.pending import Pending
from batcher.runs.prepare import Preparation
from batcher.runs.previous import Previous, previous_run
from batcher.runs.quote import Assumed, Quote, Rows
from batcher.runs.reuse import known_cache
from batcher.runs.rows import open_dataset
from batcher.runs.selection import WHOLE_INPUT, Portion, selection_of
from batcher.runs.tokenizing import Sample, Sleep, Tokenized, tokenize, uncounted
from batcher.structured import Structure

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


@dataclass(frozen=True, slots=True)
class Estimator:
    """Estimates a run of `job`.

    `callee` has the tokenizer that is asked, unless `untold` says why it is not. `rows` in memory
    take the place of the job's input, and only those of `portion` are taken.
    """

    job: JobSpec
    callee: Callee
    stdin: BinaryIO
    assumptions: Assumptions = field(default_factory=Assumptions)
    untold: str | None = None
    portion: Portion = WHOLE_INPUT
    rows: InMemory | None = None
    sleep: Sleep = asyncio.sleep

    def estimate(self) -> Quote:
        """Read the input, look for what is done, have a sample counted, and price what is left.

        Raises:
            InputError, ConfigurationError: an input or the job is unusable as a whole.
            StorageError: the checkpoint of an earlier run is damaged.
        """
        job, wanted = self.job, self.assumptions
        pricing = pricing_of(job, self.callee)
        check_ceilings(job, pricing)
        simulated = self.callee.simulator is not None
        workload, sample = Workload(pricing.models), Sample(wanted.sample)
        with contextlib.ExitStack() as stack:
            spool = stack.enter_context(tempfile.TemporaryDirectory(prefix="batcher-"))
            dataset = open_dataset(job, Path(spool), self.stdin, self.rows)
            previous = stack.enter_context(
                previous_run(
                    job,
                    dataset,
                    self.portion.shard,
                    retry_errors=wanted.retry_errors,
                    simulated=simulated,
                )
            )
            cache = stack.enter_context(known_cache(job, self.callee))
            selection = selection_of(self.portion, job.sampling.samples, dataset)
            pending = Pending(self._prepare(), selection, previous, cache)
            for request in pending.requests(dataset):
                workload.add(request.body)
                sample.offer(request)
            answers, assumed = self._answers(previous)
            tokenized = self._tokenized(workload, sample)
            counts, spent = None, Spent()
            if previous is not None:
                counts = previous.checkpoint.counts()
                spent = spent_at_most(counts, previous.checkpoint.fact)
            return Quote(
                job=job,
                rows=Rows(pending.total, pending.bad, pending.done, pending.shared),
                workload=workload,
                totals=tuple(workload.band_totals(tokenized.ratios, answers, pricing)),
                tokenized=tokenized,
                assumed=assumed,
                pricing=pricing,
                counts=counts,
                spent=spent,
                simulated=simulated,
            )

    def _prepare(self) -> Preparation:
        structure = Structure.of(self.job.output)
        return Preparation.of(self.job, structure, self.callee.provider, time.time)

    def _tokenized(self, workload: Workload, sample: Sample) -> Tokenized:
        if self.untold is not None:
            return uncounted(workload.requests, self.untold)
        return asyncio.run(tokenize(sample, self.job, self.callee, self.sleep))

    def _answers(self, previous: Previous | None) -> tuple[Answers, Assumed]:
        """Return how long answers are taken to be, and on what ground."""
        if (given := self.assumptions.output_tokens) is not None:
            return Answers([given]), Assumed("given")
        lengths: list[int] = []
        by_model: dict[str, list[int]] = {}
        prompts: dict[bool, list[int]] = {False: [], True: []}
        for result in previous.checkpoint.some_results(_RESULTS) if previous else ():
            tokens = result.completion_tokens or 0
            lengths.append(tokens)
            by_model.setdefault(result.model or "", []).append(tokens)
            prompts[result.repairs > 0].append(result.prompt_tokens or 0)
        if not lengths:
            return Answers(), Assumed("bound")
        times = _times(prompts[False], prompts[True])
        return Answers(lengths, by_model, times), Assumed("recorded", len(lengths), times)


def _times(once: Sequence[int], again: Sequence[int]) -> float:
    """Return how many prompts an answer takes, by the tokens of the prompts that answers took.

    `once` are those of answers that were of use at once, `again` of those asked for again.
    """
    if not (again and sum(once)):
        return 1.0
    single = sum(once) / len(once)
    return (sum(once) + sum(again)) / (single * (len(once) + len(again)))
