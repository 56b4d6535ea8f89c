"""Rows, answers and runs to measure with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from batcher.checkpoint import CheckpointReader
from batcher.providers import provider_named
from benchmarks import material

ROWS = 5_000


def test_both_formats_hold_the_same_requests(tmp_path: Path) -> None:
    jsonl, parquet = tmp_path / "a.jsonl", tmp_path / "a.parquet"
    material.write_jsonl(jsonl, 30)
    material.write_parquet(parquet, 30)
    one, other = (list(material.prepared(material.job_of(file))) for file in (jsonl, parquet))
    assert [row.key for row in one] == [row.key for row in other]
    assert len({row.key for row in one}) == 30


def test_an_answer_is_a_completion_of_about_700_bytes(tmp_path: Path) -> None:
    material.write_jsonl(tmp_path / "a.jsonl", 1)
    (request,) = material.prepared(material.job_of(tmp_path / "a.jsonl"))
    body = material.answer(request)
    found = provider_named("glm").decode(200, {}, body, datetime.now(UTC), allow_empty=False)
    assert found.text is not None
    assert 600 < len(found.text.encode()) < 900


def test_a_recorded_run_is_as_far_as_asked_and_has_its_marks(tmp_path: Path) -> None:
    material.write_jsonl(tmp_path / "a.jsonl", ROWS)
    material.record_run(tmp_path / "a.jsonl", tmp_path / "a.batch", ROWS - 10)
    with CheckpointReader.read(tmp_path / "a.batch" / "checkpoint.db") as checkpoint:
        assert checkpoint.done().first_missing() == ROWS - 10
        mark = checkpoint.mark_before(ROWS)
        assert mark is not None
        assert (mark.row, mark.line) == (4096, 4097)
        assert checkpoint.counts().currency == "CNY"
