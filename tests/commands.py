"""The command in a process of its own, as a user or cron runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


def command(*args: str) -> Sequence[str]:
    """Return the words that start `batcher ARGS...`."""
    return (sys.executable, "-m", "batcher", *args)


def variables(**more: str) -> Mapping[str, str]:
    """Return an environment of its own, with no key, proxy or setting of the machine in it."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def ran(folder: Path, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `batcher ARGS...` in a folder to its end."""
    return subprocess.run(  # noqa: S603 -- our own command
        command(*args),
        cwd=folder,
        env=variables(**more),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
