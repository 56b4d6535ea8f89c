"""What can be said of an input before any call is paid: its requests, and its bad rows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from batcher.checkpoint import Placement
from batcher.job import JobSpec
from batcher.providers import Provider, estimate_tokens
from batcher.records import Failure, Request
from batcher.render import shortened
from batcher.runs.prepare import Preparation
from batcher.runs.rows import open_dataset
from batcher.runs.selection import WHOLE_INPUT, Portion, selection_of
from batcher.structured import Structure
from batcher.wording import counted

STAND_IN = "MODEL"
"""Written for the model where none is named yet: whether a row is good does not depend on it."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What `check` found: rows, bad ones among them, and tokens as estimated, for all samples."""

    rows: int
    bad: int
    prompt_tokens: int
    samples: int = 1

    def lines(self) -> Iterator[str]:
        """Yield the lines to print."""
        each = f", {self.samples:,} times each" if self.samples > 1 else ""
        yield f"{counted(self.rows, 'row')}, {self.bad:,} bad"
        yield (
            f"about {self.prompt_tokens:,} prompt tokens in the good ones{each} "
            "(estimated from their characters)"
        )


def check(
    job: JobSpec,
    provider: Provider,
    stdin: BinaryIO,
    report: Callable[[str], None],
    portion: Portion = WHOLE_INPUT,
) -> Survey:
    """Read and render every chosen row; `report` a line for each bad one.

    Raises:
        InputError, ConfigurationError: an input or the job is unusable as a whole.
    """
    rows = bad = tokens = 0
    prepare = Preparation.of(job, Structure.of(job.output), provider, time.time, stand_in=STAND_IN)
    with Placement.alone() as placement:
        for item in _prepared(job, prepare, stdin, portion):
            rows += 1
            match item:
                case Request():
                    if (earlier := placement.place(item)) is not None:
                        bad += 1
                        report(_line(prepare.duplicate(item, earlier)))
                    else:
                        tokens += estimate_tokens(item.body)
                case Failure():
                    bad += 1
                    report(_line(item))
    samples = job.sampling.samples
    return Survey(rows, bad, tokens * samples, samples)


def preview(
    job: JobSpec, provider: Provider, stdin: BinaryIO, rows: int, portion: Portion = WHOLE_INPUT
) -> Iterator[dict[str, object]]:
    """Yield the first `rows` of the chosen rows as they would be sent to `provider`, or why not.

    Images are told of by their type and size. Where no model is named, STAND_IN is in its place,
    and the key, which would be another, None.

    Raises:
        InputError, ConfigurationError: an input or the job is unusable as a whole.
    """
    prepare = Preparation.of(job, Structure.of(job.output), provider, time.time, stand_in=STAND_IN)
    for item in islice(_prepared(job, prepare, stdin, portion), rows):
        named = {"row": item.row, "id": item.id, "source": str(item.source)}
        match item:
            case Request():
                key = None if item.body["model"] == STAND_IN else item.key
                yield {**named, "key": key, "request": shortened(item.body)}
            case Failure(problem=problem):
                yield {
                    **named,
                    "error_class": problem.error_class.value,
                    "message": problem.message,
                }


def _prepared(
    job: JobSpec, prepare: Preparation, stdin: BinaryIO, portion: Portion
) -> Iterator[Request | Failure]:
    with tempfile.TemporaryDirectory(prefix="batcher-") as spool:
        dataset = open_dataset(job, Path(spool), stdin)
        selection = selection_of(portion, job.sampling.samples, dataset)
        start = dataset.place(selection.start) if selection.start else None
        for item in dataset.rows(start):
            if selection.is_over(item.row):
                return
            if item.row in selection:
                yield prepare(item)


def _line(failure: Failure) -> str:
    text = f"\n    {failure.source.text}" if failure.source.text else ""
    problem = failure.problem
    return f"{failure.source}: {problem.error_class}: {problem.message}{text}"
