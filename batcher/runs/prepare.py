"""Input rows, checked and rendered: each is a request, or already a failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from batcher.errors import ErrorClass, Problem, RowError
from batcher.job import JobSpec
from batcher.providers import Provider
from batcher.records import Failure, Prompt, Request
from batcher.render import Images, Renderer
from batcher.runs.images import ImageFolder
from batcher.structured import Structure


@dataclass(frozen=True, slots=True)
class Preparation:
    """Turns what the inputs yield into requests, row by row; `clock` stamps failures."""

    render: Renderer
    clock: Callable[[], float]

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
        return cls(render, clock)

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
        message = f"the id {request.id!r} of {request.source} already names the row at {earlier}"
        return self._failure(request, Problem(ErrorClass.DUPLICATE_ID, message))

    def _failure(self, row: Prompt | Request, problem: Problem) -> Failure:
        # No key: the row is no request, so its id stays with the row that had it first.
        return Failure(row.row, row.id, None, problem, (), self.clock(), row.source)
