"""Who takes part, how each is started, and where its answers are counted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.contenders.bounded import MODEL
from benchmarks.environments import ROOT, Environment, environment
from benchmarks.process import Ended

PROMPTS = "prompts.jsonl"
_GIVEN = ("{prompts}", "{base_url}", "{in_flight}")
# Nobody calls home, and what is fetched at import comes from the package itself.
_QUIET = {
    "TELEMETRY_ENABLED": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
}


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that calls for every row of a prompt file.

    Attributes:
        name: What it is called in the table.
        does: What it does beside calling.
        arguments: Those of its interpreter, with the names of `command` in braces.
        guess: Rows a second to begin with; the first round then tells better.
        answered: Counts its answers, in its folder and in what it said.
        environment: Its own virtual environment; None for this one.
        variables: Environment variables on top of this process's.
    """

    name: str
    does: str
    arguments: tuple[str, ...]
    guess: float
    answered: Callable[[Path, Ended], int]
    environment: Environment | None = None
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)

    def command(self, base_url: str, in_flight: int) -> list[str]:
        """Return its command line, for a folder that has a prompt file."""
        python = str(self.environment.python) if self.environment else sys.executable
        names = {"prompts": PROMPTS, "base_url": base_url, "in_flight": in_flight}
        return [python, *(argument.format(**names) for argument in self.arguments)]

    def surroundings(self) -> dict[str, str]:
        """Return its environment variables; scripts of ours are found from anywhere."""
        return {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", **self.variables}


def _told(_folder: Path, ended: Ended) -> int:
    """Count by the last line of a script of ours."""
    return int(ended.stdout.split()[-1])


def _results(folder: Path, _ended: Ended) -> int:
    return pq.read_metadata(folder / "run" / "results.parquet").num_rows


def _lines(folder: Path, _ended: Ended) -> int:
    with (folder / "answers.jsonl").open("rb") as answers:
        return sum(b'"output": "' in line for line in answers)


def _script(name: str, *more: str) -> tuple[str, ...]:
    return ("-m", f"benchmarks.contenders.{name}", *more, *_GIVEN)


BATCHER = Contender(
    name="batcher",
    does="reads, renders, calls, checkpoints with fsync, exports to Parquet",
    arguments=(
        *("-m", "batcher", "run", "{prompts}", "-o", "run", "-m", MODEL, "--yes"),
        *("--base-url", "{base_url}", "-c", "{in_flight}"),
    ),
    guess=1500,
    answered=_results,
    variables={"ZHIPUAI_API_KEY": "any-key.of-the-benchmark"},
)
AIOHTTP = Contender("aiohttp", "only calls", _script("aiohttp_loop"), 4000, _told)
HTTPX2 = Contender("httpx2", "only calls", _script("httpx_loop", "httpx2"), 600, _told)
HTTPX = Contender(
    "httpx 0.28", "only calls", _script("httpx_loop", "httpx"), 130, _told, environment("clients")
)
OPENAI = Contender(
    "openai sdk",
    "only calls, all rows in memory",
    _script("openai_gather"),
    200,
    _told,
    environment("clients"),
)
BATCHLLM = Contender(
    name="batchllm-ai",
    does="whole job; a JSONL checkpoint without fsync",
    arguments=(
        *("-m", "batchllm.cli", "run", "{prompts}", "-o", "answers.jsonl", "-m", MODEL),
        *("--input-column", "prompt", "--checkpoint", "checkpoint.jsonl"),
        *("--base-url", "{base_url}", "--api-key", "any", "-c", "{in_flight}"),
    ),
    guess=300,
    answered=_lines,
    environment=environment("batchllm-ai"),
)
_CURATOR = environment("bespokelabs-curator")
CURATOR = Contender(
    name="curator",
    does="whole job; JSONL files without fsync",
    arguments=_script("curator_llm"),
    guess=300,
    answered=_told,
    environment=_CURATOR,
    variables=_QUIET,
)
LITELLM = Contender(
    name="litellm",
    does="batch_completion: threads; no checkpoint, no file",
    arguments=_script("litellm_batch"),
    guess=100,
    answered=_told,
    environment=environment("litellm"),
    variables=_QUIET,
)
PEERS = (BATCHLLM, CURATOR, LITELLM)
