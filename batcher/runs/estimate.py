"""What a run will cost, before any paid call: its rows are read once, and some are counted."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from batcher.cache import Cache
from batcher.checkpoint import Placement
from batcher.inputs import Dataset
from batcher.job import JobSpec
from batcher.providers.workload import Answers, Workload
from batcher.records import Failure, Prompt, Request
from batcher.runs.calling import Callee, pricing_of
from batcher.runs.ceilings import check_ceilings
from batcher.runs.prepare import Preparation
from batcher.runs.previous import Previous, previous_run
from batcher.runs.quote import Assumed, Quote, Rows
from batcher.runs.reuse import cached, known_cache
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


@dataclass(frozen=True, slots=True)
class _Known:
    """Where answers may be already: in the checkpoint of a previous run, or in a cache."""

    previous: Previous | None
    cache: Cache | None

    def is_done(self, row: int) -> bool:
        """Whether a row of this number has its outcome, where numbers tell."""
        done = self.previous.done if self.previous else None
        return done is not None and row in done

    def keys(self, requests: Sequence[Request]) -> set[str]:
        """Return the keys of requests that have their outcome, where numbers do not tell."""
        return self.previous.keys(requests) if self.previous else set()

    def earlier_ids(self, requests: Sequence[Request]) -> dict[str, tuple[int, str]]:
        """Return by id the first done row that has it, and where that stands."""
        return self.previous.earlier_ids(requests) if self.previous else {}

    def answered(self, requests: Iterable[Request]) -> set[str]:
        """Return the contents of those requests that any row, or the cache, has an answer to."""
        contents = list({request.content for request in requests if request.content is not None})
        if not contents:
            return set()
        answered = self.previous.answered(contents) if self.previous else set()
        return answered | cached(self.cache, [one for one in contents if one not in answered])


@dataclass(frozen=True, slots=True)
class Estimator:
    """Estimates a run of `job`.

    `callee` has the tokenizer that is asked, unless `untold` says why it is not.
    """

    job: JobSpec
    callee: Callee
    stdin: BinaryIO
    assumptions: Assumptions = field(default_factory=Assumptions)
    untold: str | None = None
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
            dataset = open_dataset(job, Path(spool), self.stdin)
            previous = stack.enter_context(
                previous_run(job, dataset, retry_errors=wanted.retry_errors, simulated=simulated)
            )
            cache = stack.enter_context(known_cache(job, self.callee))
            rows = self._read(dataset, _Known(previous, cache), workload, sample)
            answers, assumed = self._answers(previous)
            tokenized = self._tokenized(workload, sample)
            return Quote(
                job=job,
                rows=rows,
                workload=workload,
                portions=tuple(workload.portions(tokenized.ratios, answers, pricing)),
                tokenized=tokenized,
                assumed=assumed,
                pricing=pricing,
                spent=None if previous is None else previous.checkpoint.counts(),
                simulated=simulated,
            )

    def _read(self, dataset: Dataset, known: _Known, workload: Workload, sample: Sample) -> Rows:
        """Read every row; put what is to be called into `workload` and `sample`."""
        prepare = Preparation.of(
            self.job, Structure.of(self.job.output), self.callee.provider, time.time
        )
        start = known.previous.start if known.previous else None
        done = start.row if start else 0
        total, bad, shared = done, 0, 0
        with Placement.alone() as placement:
            for batch in _batches(dataset.rows(start)):
                total += len(batch)
                pending = [prepare(row) for row in batch if not known.is_done(row.row)]
                done += len(batch) - len(pending)
                requests = [one for one in pending if isinstance(one, Request)]
                bad += len(pending) - len(requests)
                keys, ids = known.keys(requests), known.earlier_ids(requests)
                answered = known.answered(requests)
                for request in requests:
                    first, _ = ids.get(request.id, (request.row, ""))
                    if placement.place(request) is not None or first < request.row:
                        bad += 1
                    elif request.key in keys:
                        done += 1
                    elif request.content is not None and (
                        placement.asks_again(request.content) or request.content in answered
                    ):
                        shared += 1
                    else:
                        workload.add(request.body)
                        sample.offer(request)
        return Rows(total, bad, done, shared)

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


def _batches(rows: Iterable[Prompt | Failure]) -> Iterator[list[Prompt | Failure]]:
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield batch
