"""Other people's tools, each in a virtual environment of its own below `.bench/`.

Their versions are pinned in benchmarks/requirements/, and installed once.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_REQUIREMENTS = ROOT / "benchmarks" / "requirements"
_PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install", "-r")


class NotInstalledError(Exception):
    """An environment that could not be made; its message is the reason, in a line."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment, and what belongs into it.

    Attributes:
        folder: Where it is, or is to be.
        requirements: The file of its pinned packages.
    """

    folder: Path
    requirements: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def install(self) -> None:
        """Make it, unless it is there with these very requirements.

        Raises:
            NotInstalledError: pip could not do it.
        """
        wanted, done = self.requirements.read_text(), self.folder / "installed.txt"
        if done.exists() and done.read_text() == wanted:
            return
        steps = (
            [sys.executable, "-m", "venv", "--clear", str(self.folder)],
            [str(self.python), *_PIP, str(self.requirements)],
        )
        for step in steps:
            ended = subprocess.run(step, capture_output=True, text=True, check=False)  # noqa: S603 -- our own
            if ended.returncode:
                last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
                raise NotInstalledError(f"not installed: {last}")
        done.write_text(wanted)


def environment(name: str) -> Environment:
    """Return the environment whose requirements have that name."""
    return Environment(ROOT / ".bench" / name, _REQUIREMENTS / f"{name}.txt")
