"""Children of `parent`: the real command line as processes, cheap enough to start by thousands."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from batcher.simulator import SIMULATED_KEY
from tests.faults.parent import Order

ROOT = Path(__file__).parents[2]
# Far more than anything here takes: only what hangs meets it.
PATIENCE_S = 300.0
ENVIRONMENT = {"PATH": os.environ["PATH"], "ZHIPUAI_API_KEY": SIMULATED_KEY}


class HungError(Exception):
    """Something did not happen within all patience."""


def until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until `true()` is.

    Raises:
        HungError: it never was.
    """
    end = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > end:
            raise HungError(f"waited {patience_s:g} s in vain: {what}")
        time.sleep(0.002)


@dataclass(frozen=True, slots=True)
class Child:
    """A process that runs `batcher`; what it prints goes to OUTPUT.out and OUTPUT.err."""

    parent: Parent
    number: int
    pid: int
    output: Path

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        """Return the exit code, or the number of the signal that ended it, negated.

        Raises:
            HungError: it does not end.
        """
        return self.parent.ending(self, patience_s)

    @property
    def halted(self) -> bool:
        """Whether it stands still, as ordered."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    @property
    def traced(self) -> bool:
        """Whether another process has attached to it."""
        return "TracerPid:\t0\n" not in Path(f"/proc/{self.pid}/status").read_text()

    def resume(self) -> None:
        """Let a halted child begin."""
        until(lambda: self.halted, "a child to halt")
        self.signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.parent.running(self)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended feels nothing."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> int:
        """Kill it, unless it has ended by itself; return as `wait` does."""
        self.signal(signal.SIGKILL)
        return self.wait()

    @property
    def out(self) -> str:
        """What it printed."""
        return Path(f"{self.output}.out").read_text("utf-8")

    @property
    def err(self) -> str:
        """What it printed as errors."""
        return Path(f"{self.output}.err").read_text("utf-8")


class Parent:
    """Starts children."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Use `parent()`."""
        self._process = process
        self._statuses: dict[int, int] = {}
        self._started: list[tuple[int, int]] = []
        self._unread = b""

    def start(self, order: Order) -> Child:
        """Start `batcher` as ordered."""
        output = Path(order.output)
        for kind in ("out", "err"):
            Path(f"{output}.{kind}").touch()
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._read_until(lambda: bool(self._started), PATIENCE_S, "a child to start")
        return Child(self, *self._started.pop(), output)

    def ending(self, child: Child, patience_s: float) -> int:
        """Wait for the end of a child; see `Child.wait`."""
        known, number = self._statuses, child.number
        self._read_until(lambda: number in known, patience_s, f"process {child.pid} to end")
        return os.waitstatus_to_exitcode(known[number])

    def running(self, child: Child) -> bool:
        """Whether a child has not ended yet."""
        while self._readable(0):
            self._read()
        return child.number not in self._statuses

    @property
    def pid(self) -> int:
        """Its process; `/proc/PID/root` shows its mounts."""
        return self._process.pid

    def _read_until(self, true: Callable[[], bool], patience_s: float, what: str) -> None:
        end = time.monotonic() + patience_s
        while not true():
            if not self._readable(max(0.0, end - time.monotonic())):
                raise HungError(f"waited {patience_s:g} s in vain for {what}")
            self._read()

    def _readable(self, timeout: float) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], timeout)[0])

    def _read(self) -> None:
        assert self._process.stdout is not None
        piece = os.read(self._process.stdout.fileno(), 65_536)
        if not piece:
            raise HungError("the parent of the children has ended")
        *lines, self._unread = (self._unread + piece).split(b"\n")
        for line in lines:
            report = json.loads(line)
            if "pid" in report:
                self._started.append((report["child"], report["pid"]))
            else:
                self._statuses[report["child"]] = report["status"]


@contextlib.contextmanager
def parent(*prefix: str) -> Iterator[Parent]:
    """Run a parent for the length of a `with` block; `prefix` is a command that executes it."""
    with subprocess.Popen(  # noqa: S603 -- our own interpreter and module
        [*prefix, sys.executable, "-m", "tests.faults.parent"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as process:
        try:
            yield Parent(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
