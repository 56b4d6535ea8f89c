"""strace, attached to a child: to record its calls of the system, spoil one, or stop after one."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.children import PATIENCE_S, Child, until

# Faults, as strace spells them. A disk that is full stays so for the rest of the process.
KILLED, BROKEN, FULL = "signal=SIGKILL", "error=EIO", "error=ENOSPC"
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`th call of `syscall` that the main thread makes; it goes to `path`."""

    syscall: str
    number: int
    path: str

    def __str__(self) -> str:
        return f"{self.syscall} {self.number} ({self.path})"


@contextlib.contextmanager
def traced(child: Child, *options: str) -> Iterator[None]:
    """Attach strace to a child that was started `halted`, and let it go on.

    At the end of the block the child is killed, unless it has ended, and the log is whole after
    it. Without `-f` in `options`, only the main thread is looked at.
    """
    until(lambda: child.halted, "a child to halt")
    tracer = _attached(child, *options)
    try:
        child.signal(signal.SIGCONT)
        yield
    finally:
        child.kill()
        tracer.wait(PATIENCE_S)


def halt_after_rename(child: Child, path: Path, log: Path) -> None:
    """Let a running child stand still right after it next gave `path` another name.

    The thread that did this has not done anything else since.
    """
    inject = "inject=/^rename:signal=SIGSTOP:when=1"
    log.touch()
    tracer = _attached(child, "-f", "-o", str(log), "-P", str(path), "-e", inject)
    until(lambda: "stopped by SIGSTOP" in log.read_text("utf-8"), f"{path.name} to be renamed")
    tracer.terminate()
    tracer.wait(PATIENCE_S)
    until(lambda: child.halted, "a child to halt")


def _attached(child: Child, *options: str) -> subprocess.Popen[bytes]:
    strace = shutil.which("strace")
    if strace is None:
        raise RuntimeError("strace is missing: apt-get install strace")
    tracer = subprocess.Popen([strace, "-qq", *options, "-p", str(child.pid)])  # noqa: S603 -- strace
    until(lambda: tracer.poll() is not None or child.traced, "strace to attach")
    return tracer


def points(log: Path, below: Path, syscalls: Iterable[str]) -> Iterator[Point]:
    """Yield the calls of one thread, as logged with -y, that concern files below a folder."""
    wanted = frozenset(syscalls)
    numbers = Counter[str]()
    for line in log.read_text("utf-8", "replace").splitlines():
        if (call := _CALL.match(line)) and call[1] in wanted:
            numbers[call[1]] += 1
            if path := _path_below(call[2], below):
                yield Point(call[1], numbers[call[1]], path)


def _path_below(arguments: str, below: Path) -> str | None:
    """Return the first path below a folder among the arguments, less what is random of it."""
    # As -y shows a descriptor, or as a path is given.
    found = re.search(rf'[<"]{re.escape(str(below))}(/[^>"]*)?[>"]', arguments)
    if found is None:
        return None
    path = (found[1] or "/")[1:]
    return re.sub(r"\.(\w+\.\w+)\.\w+\.tmp$", r"\1.tmp", re.sub(r"process-\w+/", "", path))


def spoiling(point: Point, fault: str, log: Path) -> tuple[str, ...]:
    """Return the options that make `point` meet `fault` (as strace spells it), noted in `log`."""
    when = f"{point.number}+" if fault == FULL else str(point.number)
    inject = f"inject={point.syscall}:{fault}:when={when}"
    return ("-y", "-o", str(log), "-e", f"trace={point.syscall}", "-e", inject)


def spoilt(log: Path) -> bool:
    """Whether a call met its error."""
    return "(INJECTED)" in log.read_text("utf-8", "replace")
