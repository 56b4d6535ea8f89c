"""Run a command as a process of its own, on one core, and measure what it cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LAUNCH = str(Path(__file__).with_name("launch.py"))
# Enough for 2,000 connections and whatever else a client holds open.
_DESCRIPTORS = 8192
_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took.

    Attributes:
        wall_s: Seconds from its start until it was gone.
        cpu_s: CPU seconds, user and system, its own children's included.
        peak_mb: Largest resident memory, in MiB.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that is gone; `code` is negative where a signal ended it."""

    code: int
    cost: Cost
    stdout: str
    stderr: str


class CommandError(Exception):
    """A measured command failed, or took longer than it may."""


def cores() -> tuple[int, ...]:
    """Return the cores that this process may use."""
    return tuple(sorted(os.sched_getaffinity(0)))


def run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    core: int | None = None,
    patience_s: float = 600.0,
) -> Ended:
    """Run a command to its end.

    Args:
        command: The program and its arguments.
        folder: Its working directory.
        variables: Environment variables on top of this process's.
        core: The only core it may use; None for all.
        patience_s: After so many seconds it is killed with all its children.

    Raises:
        CommandError: it could not be started, or was killed.
    """
    reader, writer = os.pipe()
    told_to = (str(writer), "" if core is None else str(core), str(_DESCRIPTORS))
    with os.fdopen(reader) as report:
        try:
            process = subprocess.Popen(  # noqa: S603 -- our own commands
                [sys.executable, "-I", "-S", _LAUNCH, *told_to, *command],
                cwd=folder,
                env={**os.environ, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                pass_fds=(writer,),
                start_new_session=True,
            )
        finally:
            os.close(writer)
        try:
            stdout, stderr = process.communicate(timeout=patience_s)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise CommandError(f"{command[0]} took more than {patience_s:g} s") from None
            raise
        told = report.read()
    if not told:
        raise CommandError(f"{command[0]} could not be started:\n{stderr[-_TAIL:]}")
    code, wall_s, cpu_s, peak_kib = json.loads(told)
    return Ended(code, Cost(wall_s, cpu_s, peak_kib / 1024), stdout, stderr)


def run_well(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    core: int | None = None,
    patience_s: float = 600.0,
) -> Ended:
    """Run a command that is to end with 0; see `run`.

    Raises:
        CommandError: it did not.
    """
    ended = run(command, folder=folder, variables=variables, core=core, patience_s=patience_s)
    if ended.code:
        raise CommandError(f"{command[0]} ended with {ended.code}:\n{ended.stderr[-_TAIL:]}")
    return ended
