"""What a row costs where: CPU microseconds, each part of the product on its own.

    python -m benchmarks.costs        # half a minute

Each part works on the same rows as the others, of a few hundred characters with answers of about
700 bytes. A figure is the least of several rounds: whatever else the machine does only adds to it.
The whole run stands below them: what it takes beyond their sum is the engine's own, the limits
and the retries, the bar and the log, and the turns of the loop.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from batcher.checkpoint import Checkpoint
from batcher.engine.client import Client, Receiving, Timeouts, open_transport
from batcher.engine.room import Room
from batcher.inputs import Dataset
from batcher.providers import Bearer, Pricing, provider_named
from batcher.records import Prompt, Request
from batcher.render import Renderer, request_key
from batcher.runs.directory import RunDirectory
from batcher.runs.export import export_run
from batcher.simulator import SIMULATED_KEY
from benchmarks import material
from benchmarks.load_server import serving
from benchmarks.process import run_well
from benchmarks.ratios import aligned

ROWS = 20_000
ROUNDS = 7
_GROUP = 256
_IN_FLIGHT = 512
_LATENCY_MS = 50


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the way takes for a row, in CPU microseconds."""

    name: str
    microseconds: float
    note: str = ""


def cost(
    work: Callable[[], object],
    rows: int,
    *,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Return the least that `work` takes for each of its `rows`, in microseconds."""

    def once() -> float:
        since = clock()
        work()
        return clock() - since

    return min(once() for _ in range(rounds)) / rows * 1e6


def lines(parts: Iterable[Part]) -> Iterator[str]:
    """Yield the table's lines."""
    header = ("part", "us a row", "")
    yield from aligned(
        [header, *((part.name, f"{part.microseconds:8.2f}", part.note) for part in parts)]
    )


def parts(rows: int, folder: Path) -> Iterator[Part]:
    """Measure each part on `rows` rows."""
    yield from _before(rows, folder)
    yield from _call(rows, folder)
    yield from _after(rows, folder)
    yield _whole(rows, folder)


def _before(rows: int, folder: Path) -> Iterator[Part]:
    """From the file to the request."""
    jsonl, parquet = folder / "prompts.jsonl", folder / "prompts.parquet"
    material.write_jsonl(jsonl, rows)
    material.write_parquet(parquet, rows)
    for name, file in (("JSON Lines", jsonl), ("Parquet", parquet)):
        dataset = material.dataset_of(material.job_of(file))
        yield Part(f"read {name}", cost(partial(_read, dataset), rows))
    job = material.job_of(jsonl)
    render = Renderer(job)
    prompts = [row for row in material.dataset_of(job).rows() if isinstance(row, Prompt)]
    requests = list(map(render, prompts))
    keys = cost(lambda: _all(request_key(one.id, one.body) for one in requests), rows)
    yield Part("render", cost(lambda: _all(map(render, prompts)), rows) - keys)
    yield Part("key", keys)


def _call(rows: int, folder: Path) -> Iterator[Part]:
    """From the request to the outcome, but for the call itself."""
    provider = provider_named("glm")
    requests = list(material.prepared(material.job_of(folder / "prompts.jsonl")))
    yield Part(
        "encode",
        cost(
            lambda: _all(
                provider.encode(one, request_id=one.key, stream=False) for one in requests
            ),
            rows,
        ),
    )
    now = datetime.now(UTC)
    bodies = [material.answer(one) for one in requests]
    headers = {"content-type": "application/json"}
    yield Part(
        "decode",
        cost(
            lambda: _all(
                provider.decode(200, headers, body, now, allow_empty=False) for body in bodies
            ),
            rows,
        ),
    )
    with serving(_LATENCY_MS, None) as server:
        took = cost(lambda: asyncio.run(_send(requests, server.base_url)), rows, rounds=3)
        yield Part("send", took, f"all of a call, {_IN_FLIGHT} in flight, encode and decode too")


async def _send(requests: Iterable[Request], base_url: str) -> None:
    """Make the call of each request, and keep nothing of the answers."""
    left = iter(requests)
    provider, room = provider_named("glm", base_url), Room()
    timeouts, receiving = Timeouts(30, 300, 300), Receiving(2**25, room)
    async with open_transport(base_url, _IN_FLIGHT, environment={}) as transport:
        client = Client(
            transport, provider, Bearer(SIMULATED_KEY), timeouts=timeouts, receiving=receiving
        )

        async def work() -> None:
            for request in left:
                await client.complete(request, request.key)
                room.leave(request.key)

        await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))


def _after(rows: int, folder: Path) -> Iterator[Part]:
    """From the outcome to the row of the results."""
    jsonl, parquet = folder / "prompts.jsonl", folder / "prompts.parquet"
    requests = list(material.prepared(material.job_of(jsonl)))
    pricing = Pricing.of("glm", {})
    outcomes = [material.outcome(one, pricing) for one in requests]

    def record() -> None:
        with (
            tempfile.TemporaryDirectory(dir=folder) as place,
            Checkpoint.open(Path(place) / "checkpoint.db") as checkpoint,
        ):
            for start in range(0, rows, _GROUP):
                checkpoint.write(outcomes[start : start + _GROUP])
                checkpoint.sync()

    yield Part("record", cost(record, rows, rounds=3), f"in groups of {_GROUP}, with an fsync each")
    for name, file in (("JSON Lines", jsonl), ("Parquet", parquet)):
        directory = file.with_name(f"{name}.batch")
        material.record_run(file, directory, rows)
        took = cost(partial(export_run, RunDirectory(directory), None, "parquet"), rows)
        yield Part(f"export, input in {name}", took, "on all cores together")


def _whole(rows: int, folder: Path) -> Part:
    """The command as a user runs it, less its start."""
    one = folder / "one.jsonl"
    material.write_jsonl(one, 1)
    with serving(_LATENCY_MS, None) as server:

        def run(file: Path) -> float:
            place = folder / f"whole-{file.stem}"
            command = (sys.executable, "-m", "batcher", "run", str(file), "-o", str(place))
            options = ("-m", material.MODEL, "--base-url", server.base_url, "-c", str(_IN_FLIGHT))
            variables = {"ZHIPUAI_API_KEY": SIMULATED_KEY}
            return run_well((*command, *options), variables=variables).cost.cpu_s

        start = run(one)
        took = (run(folder / "prompts.jsonl") - start) / rows * 1e6
    return Part("whole run", took, f"`batcher run -c {_IN_FLIGHT}`, its export too, less its start")


def _read(dataset: Dataset) -> None:
    _all(dataset.rows())


def _all(values: Iterable[object]) -> None:
    deque(values, 0)


def main() -> None:
    """Print what a row costs where."""
    parser = argparse.ArgumentParser(description="What a row costs where: CPU microseconds.")
    parser.add_argument("--rows", type=int, default=ROWS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="costs-") as folder:
        for line in lines(parts(options.rows, Path(folder))):
            print(line)


if __name__ == "__main__":
    main()
