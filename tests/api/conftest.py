"""A folder of its own for each test, with no key of the user's in reach."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder."""
    for name in ("ZHIPUAI", "ZAI", "OPENAI", "DEEPSEEK"):
        for kind in ("API_KEY", "API_KEYS", "BASE_URL"):
            monkeypatch.delenv(f"{name}_{kind}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path
