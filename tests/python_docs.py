"""The examples of docs/python.md, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_FRAMES = ("import pandas", "import polars")


def examples(*, frames: bool) -> list[str]:
    """Return the blocks with or without a library of frames, which not every environment has."""
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [block for block in blocks if block.startswith(_FRAMES) == frames]


def run_examples(folder: Path, blocks: list[str]) -> dict[str, Any]:
    """Run `blocks` one after the other, where `folder` has the sample data; return their names."""
    (folder / "sample_data").symlink_to(ROOT / "sample_data")
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102 # the document's own
    return names
