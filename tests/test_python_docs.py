"""The examples of docs/python.md do what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python_docs import examples, run_examples


def test_every_example_without_frames_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = examples(frames=False)
    assert len(blocks) == 8
    names = run_examples(tmp_path, ["import batcher", *blocks])
    assert names["table"].num_rows == 200
    labels = names["labels"].to_pydict()
    assert set(labels["out.label"]) <= {"positive", "negative"}
    assert all(isinstance(score, float) for score in labels["out.score"])
    assert (names["first"].ok, names["second"].ok) == (True, True)
    shown = capsys.readouterr().out
    assert "200 results, 0 errors, 0 pending" in shown
    assert "180 " in shown
    assert "\n200 0\n" in shown
    assert 'output="labels.batch"' in shown
