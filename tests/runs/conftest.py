"""A place for runs: an input and its run directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulated import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a place with ten good rows."""
    made = Place(tmp_path)
    made.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(10))
    return made
