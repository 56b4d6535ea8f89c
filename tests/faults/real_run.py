"""The real command in a child process, while a toxic server answers it in this one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.toxic import Behaviour, Exchange, says, whole

KEY = "4bd1a0f2c7e94d1f9a-canary.c0ffee00D00dfeed-canary"
MODEL = ("-m", "glm-4-flash")
# Far more than any of these runs takes: only a run that hangs meets it.
PATIENCE_S = 300

# At its end the process says how much memory it had at most; every logger says all it can; and a
# signal makes it fail, once, where it waits for something to happen. (A callback of the loop, whose
# errors are logged and no more, is let pass: it is tried again soon.)
_PRELUDE = """
import atexit, logging, pathlib, selectors, signal

def fail(number, frame):
    if frame.f_code is selectors.DefaultSelector.select.__code__:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        1 / 0
    signal.setitimer(signal.ITIMER_REAL, 0.01)

signal.signal(signal.SIGALRM, fail)
signal.signal(signal.SIGUSR1, fail)
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: pathlib.Path("tmp/status").write_text(status.read_text()))
logging.basicConfig(level=logging.DEBUG)
from batcher.cli import main
main(prog_name="batcher")
"""


@dataclass(frozen=True)
class Done:
    """How the process ended, and what it left in `folder`."""

    folder: Path
    code: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        return pq.read_table(self.folder / "prompts.batch" / "results.parquet").to_pylist()

    @property
    def errors(self) -> list[dict[str, Any]]:
        return pq.read_table(self.folder / "prompts.batch" / "errors.parquet").to_pylist()

    @property
    def classes(self) -> list[str]:
        """The classes of the rows that are errors."""
        return [row["error_class"] for row in self.errors]

    @property
    def peak_bytes(self) -> int:
        """The most memory that was resident at once."""
        lines = (self.folder / "tmp" / "status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["VmHWM"].split()[0]) * 1024


def write_prompts(folder: Path, rows: int = 1) -> None:
    """Write `prompts.jsonl` with the prompts `Say 0.`, `Say 1.` and so on."""
    write_rows(folder, [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(rows)])


def write_rows(folder: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write `prompts.jsonl`."""
    (folder / "prompts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


GOOD_ROWS = 4
# One row after the other, each called once: by the last one the endpoint is known to be well, so
# that what fails is the row's own (reliability.md section C).
LAST_ONCE = ("-c", "1", "--max-attempts", "1")


def write_last(folder: Path) -> None:
    """Write prompts of which `to_the_last` spoils the last one."""
    write_prompts(folder, GOOD_ROWS + 1)


def to_the_last(behave: Behaviour) -> Behaviour:
    """Answer the last of `write_last` by `behave`, and the others well."""

    async def mostly_well(exchange: Exchange) -> None:
        is_last = exchange.seen.prompt == f"Say {GOOD_ROWS}."
        await (behave if is_last else says(whole()))(exchange)

    return mostly_well


@contextlib.asynccontextmanager
async def started(
    folder: Path,
    url: str,
    *options: str,
    environment: Mapping[str, str | None] | None = None,
    before: Iterable[str] = (),
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start `batcher run prompts.jsonl` in `folder` against `url`, as an argument of `before`.

    `environment` is laid over one that holds a key and nothing else of note; None takes away.
    """
    (folder / "tmp").mkdir(exist_ok=True)
    own: dict[str, str | None] = {"PATH": os.environ["PATH"], "ZHIPUAI_API_KEY": KEY}
    own |= {"HOME": str(folder), "TMPDIR": str(folder / "tmp")} | dict(environment or {})
    arguments = ["run", "prompts.jsonl", "--base-url", url, *options]
    process = await asyncio.create_subprocess_exec(
        *before,
        *(sys.executable, "-c", _PRELUDE),
        *arguments,
        cwd=folder,
        env={name: value for name, value in own.items() if value is not None},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ended(folder: Path, process: asyncio.subprocess.Process) -> Done:
    """Wait for the end of a process."""
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode is not None
    return Done(folder, process.returncode, out.decode(), err.decode())


async def first_failure(
    folder: Path, url: str, *options: str, before: Iterable[str] = ()
) -> dict[str, Any]:
    """Run the command until an attempt has failed; stop it, and return what its log says of that.

    For what every call ends in: such a run waits for a better time.
    """
    log = folder / "prompts.batch" / "log.jsonl"
    async with started(folder, url, *MODEL, *options, before=before) as process:
        async with asyncio.timeout(PATIENCE_S):
            while not (failed := [line for line in _lines(log) if "error_class" in line]):
                assert process.returncode is None
                await asyncio.sleep(0.02)
        # The run itself, not what stands before it.
        run = json.loads((folder / "prompts.batch" / "run.json").read_text())
        os.kill(run["pid"], signal.SIGTERM)
        done = await ended(folder, process)
    assert done.code == 128 + signal.SIGTERM, done.err
    return failed[0]


def _lines(log: Path) -> list[dict[str, Any]]:
    text = log.read_text() if log.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


async def run_batcher(
    folder: Path,
    url: str,
    *options: str,
    environment: Mapping[str, str | None] | None = None,
    before: Iterable[str] = (),
) -> Done:
    """Run the command to its end; see `started`."""
    run = started(folder, url, *MODEL, *options, environment=environment, before=before)
    async with run as process:
        return await ended(folder, process)
