"""A job file to write."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    return tmp_path / "job.toml"
