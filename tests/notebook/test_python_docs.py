"""The examples of docs/python.md that use pandas or Polars."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python_docs import examples, run_examples


def test_every_example_with_frames_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = examples(frames=True)
    assert len(blocks) == 2
    names = run_examples(tmp_path, ["import batcher", *blocks])
    assert list(names["answers"]["stars"]) == [5, 1]
