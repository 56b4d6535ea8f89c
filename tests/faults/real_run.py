"""The real command in a child process, while a toxic server answers it in this one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

KEY = "4bd1a0f2c7e94d1f9a-canary.c0ffee00D00dfeed-canary"
MODEL = ("-m", "glm-4-flash")
# Far more than any of these runs takes: only a run that hangs meets it.
PATIENCE_S = 120

# At its end the process says how much memory it had at most; every logger says all it can; and a
# signal makes it fail where it is, as a defect would.
_PRELUDE = """
import atexit, logging, pathlib, signal
signal.signal(signal.SIGUSR1, lambda *_: 1 / 0)
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
