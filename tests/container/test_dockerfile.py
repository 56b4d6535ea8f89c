"""What can be seen of the Dockerfile without building it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.container.image import DOCKERFILE, ROOT, base_images


def test_hadolint_finds_no_fault() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(  # noqa: S603 -- the linter of this environment
        [hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "hadolint ignore" not in DOCKERFILE.read_text()


def test_both_stages_begin_from_the_python_that_the_pins_are_made_for() -> None:
    (name,) = base_images()
    python = re.match(r"python:(\d+\.\d+)-slim", name)
    assert python is not None
    assert f'requires-python = ">={python[1]}"' in (ROOT / "pyproject.toml").read_text()


def test_no_requirement_names_where_it_comes_from() -> None:
    for name in ("build", "container", "runtime"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "://" not in text
        pins = re.findall(r"^\S+==", text, re.MULTILINE)
        assert pins
        assert text.count("--hash=sha256:") >= len(pins)
