"""The options that choose rows to begin with."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import Result

Batcher = Callable[..., Result]


def test_rows_are_chosen_in_one_way(batcher: Batcher) -> None:
    for command in ("run", "check", "preview"):
        done = batcher(command, "prompts.jsonl", "-m", "m", "--limit", "1", "--sample", "1")
        assert done.exit_code == 2
        assert "--limit and --sample" in done.stderr
    assert batcher("check", "prompts.jsonl", "--limit", "0").exit_code == 2


def test_chosen_rows_alone_are_checked_and_shown(batcher: Batcher) -> None:
    assert "2 rows, 0 bad" in batcher("check", "prompts.jsonl", "--limit", "2").stdout
    done = batcher("preview", "prompts.jsonl", "-m", "m", "--sample", "2", "--seed", "3")
    assert done.stdout.count('"row": ') == 2
