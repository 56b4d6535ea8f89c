"""Input rows, checked and rendered: each is a request, or already a failure; once a sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from batcher.checkpoint import Done
from batcher.errors import Problem, RowError
from batcher.job import JobSpec, job_with
from batcher.providers import Provider, provider_named
from batcher.records import Failure, Prompt, Request, duplicate_id
from batcher.render import Images, Renderer, sampled
from batcher.runs.images import ImageFolder
from batcher.runs.selection import Selection
from batcher.structured import Structure


@dataclass(frozen=True, slots=True)
class Preparation:
    """Turns what the inputs yield into requests, row by row; `clock` stamps failures.

    Each row gets `samples` answers.
    """

    render: Renderer
    clock: Callable[[], float]
    samples: int = 1

    def records(self, item: Prompt | Failure) -> Sequence[Request | Failure]:
        """Return a row's request, or why it cannot be one, for each of its samples."""
        prepared = self(item)
        count = self.samples
        if count == 1:
            return (prepared,)
        if isinstance(prepared, Request):
            return [sampled(prepared, sample, count) for sample in range(count)]
        first = prepared.row * count
        return [replace(prepared, row=first + s, sample=s) for s in range(count)]

    def upcoming(
        self, rows: Iterator[Prompt | Failure], selection: Selection, done: Done
    ) -> Iterator[Request | Failure | None]:
        """Yield what is still to be recorded of the selected rows, and None for each other row."""
        last = done.last_missing()
        stop = None if last is None else selection.row_of(last) + 1
        for item in rows:
            row = item.row
            if selection.is_over(row) or (stop is not None and row >= stop):
                return
            if row not in selection or all(map(done.__contains__, selection.records(row))):
                yield None
            else:
                for prepared in self.records(item):
                    if prepared.row not in done:
                        yield prepared

    @classmethod
    def of(
        cls,
        job: JobSpec,
        structure: Structure | None,
        provider: Provider,
        clock: Callable[[], float],
        *,
        stand_in: str | None = None,
    ) -> Preparation:
        """Prepare rows as `job` wants it and `provider` takes it; see `Renderer` for `stand_in`.

        Raises:
            ConfigurationError: a template is wrong.
        """
        answer_format = None
        if structure is not None:
            answer_format = provider.answer_format(structure, job.provider.model)
        images = Images(provider.images, ImageFolder.of(job))
        render = Renderer(job, stand_in=stand_in, answer_format=answer_format, images=images)
        return cls(render, clock, job.sampling.samples)

    @classmethod
    def recalled(cls, job: object) -> Preparation:
        """Prepare rows as a job wants it that a checkpoint remembers.

        Raises:
            ConfigurationError: it is not known.
        """
        spec = job_with(job, {}, "the job of this run")
        provider = provider_named(spec.provider.name, spec.provider.base_url)
        return cls.of(spec, Structure.of(spec.output), provider, time.time)

    def __call__(self, item: Prompt | Failure) -> Request | Failure:
        """Return the request that the row asks for, or why it cannot be one."""
        if isinstance(item, Failure):
            return item
        try:
            return self.render(item)
        except RowError as error:
            return self._failure(item, error.problem)

    def duplicate(self, request: Request, earlier: str) -> Failure:
        """Return the failure of a row whose id already names the row at `earlier`."""
        failure = self._failure(request, duplicate_id(request.id, request.source, earlier))
        return replace(failure, sample=request.sample)

    def _failure(self, row: Prompt | Request, problem: Problem) -> Failure:
        # No key: the row is no request, so its id stays with the row that had it first.
        return Failure(row.row, row.id, None, problem, (), self.clock(), row.source)
