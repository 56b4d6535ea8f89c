"""`batcher check`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Batcher = Callable[..., Result]


def test_good_rows_end_with_0_and_an_estimate(batcher: Batcher) -> None:
    done = batcher("check", "prompts.jsonl")
    assert done.exit_code == 0
    assert "5 rows, 0 bad" in done.stdout
    # "Say 0." is 6 characters, a message 6 tokens: 2 + 6 of them, five times.
    assert "about 40 prompt tokens" in done.stdout


def test_every_bad_row_is_named_with_file_and_line(batcher: Batcher, folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"prompt": "a"}\n\n[1]\n{"prompt": 5}\n')
    done = batcher("check", "bad.jsonl")
    assert done.exit_code == 65
    assert "bad.jsonl:3: invalid_row" in done.stdout
    assert "bad.jsonl:4: invalid_row" in done.stdout
    assert "3 rows, 2 bad" in done.stdout


def test_a_duplicate_id_names_both_rows(batcher: Batcher, folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"id": 1, "prompt": "a"}\n{"id": "1", "prompt": "b"}\n')
    done = batcher("check", "bad.jsonl")
    assert "bad.jsonl:2: duplicate_id" in done.stdout
    assert "the row at bad.jsonl:1" in done.stdout


def test_a_missing_column_of_a_template_names_the_columns(batcher: Batcher) -> None:
    done = batcher("check", "prompts.jsonl", "--template", "{{review}}")
    assert done.exit_code == 65
    assert "'review' is undefined. The row's columns: id, prompt" in done.stdout
