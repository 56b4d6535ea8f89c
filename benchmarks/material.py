"""What the benchmarks without a server work on: rows, answers, and runs that are nearly done."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from batcher.checkpoint import Checkpoint
from batcher.inputs import Dataset, discover
from batcher.job import JobSpec, load_job
from batcher.providers import Pricing, provider_named
from batcher.records import Attempt, Completion, Mark, Request, Success, Usage
from batcher.render import Renderer
from batcher.runs.directory import RunDirectory
from batcher.runs.prepare import Preparation
from batcher.runs.remembered import input_facts
from batcher.runs.resume import agree_on_prices, settle

MODEL = "glm-4.5-air"
_PHRASES = (
    *("summarize the following review", "in one sentence", "and say whether it is positive"),
    *("the delivery was late", "but the product works", "very well", "快递很慢", "但是产品不错"),
)
_TEXTS = 997
_ANSWER = "The review is mixed: 产品不错, 但是快递很慢. The customer likes what came. " * 10
_GROUP = 256
_PARQUET_ROWS = 100_000


def row(number: int) -> dict[str, str]:
    """Return a row of a few hundred characters; no two are alike."""
    return {"id": f"doc-{number:08d}", "prompt": f"{number}: {_prompts[number % _TEXTS]}"}


def outcome(request: Request, pricing: Pricing) -> Success:
    """Return the success that a call for `request` might bring: about 700 bytes of answer."""
    usage = Usage(prompt_tokens=120, completion_tokens=180, cached_tokens=0, reasoning_tokens=0)
    text = f"{request.row}: {_ANSWER}"
    return Success(
        *(request.row, request.id, request.key),
        Completion(text, None, None, "stop", MODEL, usage, f"c{request.key}"),
        (Attempt(1, f"{request.key}-1", 1.7e9, 1.25),),
        1.7e9 + request.row / 1000,
        request.source,
        cost=pricing.cost(MODEL, usage),
        currency=pricing.unit,
    )


def answer(request: Request) -> bytes:
    """Return the body that a provider might send for `request`: about 700 bytes of answer."""
    message = {"role": "assistant", "content": _ANSWER}
    return msgspec.json.encode(
        {
            "id": f"c{request.key}",
            "created": 1_700_000_000,
            "model": MODEL,
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 120, "completion_tokens": 180, "total_tokens": 300},
        }
    )


def write_jsonl(path: Path, rows: int) -> None:
    """Write so many rows as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            file.write(f"{json.dumps(row(number), ensure_ascii=False)}\n")


def write_parquet(path: Path, rows: int) -> None:
    """Write so many rows as Parquet, in row groups of 100,000."""
    schema = pa.schema([("id", pa.string()), ("prompt", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, rows, _PARQUET_ROWS):
            group = map(row, range(first, min(first + _PARQUET_ROWS, rows)))
            writer.write_table(pa.Table.from_pylist(list(group), schema))


def job_of(*inputs: Path) -> JobSpec:
    """Return the job of `batcher run INPUT... --model MODEL`."""
    return load_job(None, {"provider": {"model": MODEL}, "input": [str(path) for path in inputs]})


def dataset_of(job: JobSpec) -> Dataset:
    """Return the job's rows."""
    return Dataset(discover(job.input), id_column=None)


def prepared(job: JobSpec) -> Iterator[Request]:
    """Yield the job's requests: rows that are read, rendered, and have their key."""
    return _requests(job, [])


def record_run(source: Path, directory: Path, rows: int) -> None:
    """Record the first rows of `source`, as a run would that was killed when so many were done.

    Read, rendered and recorded as the product does it; the calls alone are left out.
    """
    job = job_of(source)
    dataset = dataset_of(job)
    pricing = Pricing.of(provider_named(job.provider.name).name, job.prices)
    run = RunDirectory(directory)
    run.create()
    prepare = Preparation(Renderer(job), time.time)
    with Checkpoint.open(run.checkpoint) as checkpoint:
        agree_on_prices(checkpoint, pricing)
        facts = settle(
            *(checkpoint, job.request_settings(), dataset, prepare),
            lambda change: True,  # noqa: ARG005 -- nothing was before
            lambda: None,
            simulated=False,
        )
        checkpoint.remember(**facts, input=input_facts(dataset))
        run.describe({"fingerprint": dataset.fingerprint(), "rows": dataset.count()})
        marks: list[Mark] = []
        requests = islice(_requests(job, marks), rows)
        while group := list(islice(requests, _GROUP)):
            checkpoint.write([outcome(request, pricing) for request in group], marks)
            checkpoint.sync()
            marks.clear()


def _requests(job: JobSpec, marks: list[Mark]) -> Iterator[Request]:
    prepare = Preparation(Renderer(job), time.time)
    for item in map(prepare, dataset_of(job).rows(None, marks.append)):
        if not isinstance(item, Request):
            raise TypeError(f"{item.source}: {item.problem.message}")
        yield item


_random = random.Random(7)  # noqa: S311 -- texts, no secrets
_prompts = [" ".join(_random.choices(_PHRASES, k=18)) for _ in range(_TEXTS)]
