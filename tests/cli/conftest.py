"""The command line, in this process, in a folder of its own and with an empty environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from batcher.cli.group import main

Batcher = Callable[..., Result]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder that holds `prompts.jsonl` of five rows; no key of the user is in reach."""
    for name in ("ZHIPUAI", "ZAI", "OPENAI", "DEEPSEEK"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
        monkeypatch.delenv(f"{name}_API_KEYS", raising=False)
        monkeypatch.delenv(f"{name}_BASE_URL", raising=False)
    rows = [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(5)]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "prompts.jsonl").write_text(lines)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def batcher() -> Batcher:
    """Return a function that runs `batcher ARGS...`."""

    def run(*args: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, args, input=stdin)

    return run


@pytest.fixture
def finished(batcher: Batcher) -> Path:
    """Return the directory of a finished simulated run."""
    assert batcher("run", "prompts.jsonl", "--simulate", "--sim-latency", "0").exit_code == 0
    return Path("prompts.batch")
