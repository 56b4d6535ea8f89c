"""The real command in processes of their own, as users start it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Far more than anything here takes: only what hangs meets it.
PATIENCE_S = 300
_BATCHER = (sys.executable, "-m", "batcher")

HOSTILE = (
    "<script>document.title = 'owned'</script>",
    "</script><script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "<!-- <style>body { display: none }",
    "{{ 7 * 7 }} \u202egnp.exe \x00\x1b[31m",
)
"""Prompts that a page must show as the text they are."""


def write_hostile(folder: Path, rows: int) -> None:
    """Write `prompts.jsonl`: the hostile prompts first, then plain ones."""
    plain = (f"What is the sum of {n} and {n + 1}?" for n in range(rows - len(HOSTILE)))
    write_prompts(folder, (*HOSTILE, *plain))


def write_prompts(folder: Path, prompts: Iterable[str]) -> None:
    """Write `prompts.jsonl`."""
    lines = (json.dumps({"id": f"id-{n}", "prompt": text}) for n, text in enumerate(prompts))
    (folder / "prompts.jsonl").write_text("".join(f"{line}\n" for line in lines))


def batcher(folder: Path, *arguments: str) -> None:
    """Run the command in `folder` to its end, which must not be an error."""
    subprocess.run(  # noqa: S603 -- our own interpreter and command
        [*_BATCHER, *arguments], cwd=folder, capture_output=True, check=True, timeout=PATIENCE_S
    )


@contextlib.contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command in `folder` beside the block, and kill it where it outlives that."""
    with subprocess.Popen(  # noqa: S603 -- the same
        [*_BATCHER, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@dataclass(frozen=True)
class Watching:
    """A `batcher watch` that serves its page at `address`."""

    process: subprocess.Popen[str]
    address: str

    @property
    def port(self) -> str:
        """The port of the address."""
        return self.address.split("/")[2].partition(":")[2]

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """End it by a signal; return its exit code, and what it said after the address."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said


@contextlib.contextmanager
def watching(folder: Path, *options: str) -> Iterator[Watching]:
    """Watch the run in `folder` beside the block."""
    with running(folder, "watch", "prompts.batch", *options) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), line + process.stdout.read()
        yield Watching(process, line.split()[0])


def kill(process: subprocess.Popen[str]) -> None:
    """End a process as a machine does that runs out of memory."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)
